# SPDX-License-Identifier: Apache-2.0
"""One picture of the video: outside view beside the policy's view, with instruction, tokens, rates and score."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from vla_demo.pictures import Image, fit
from vla_demo.style import BACKGROUND, BAD, BUSY, FAINT, GOOD, LINE, PANEL, TEXT, Color, font, mix

WIDTH, HEIGHT = 1280, 720
HEADER, FOOTER = 68, 52
LEFT, GAP = 800, 8
TOP = HEADER + GAP
BODY = HEIGHT - HEADER - FOOTER - 2 * GAP  # height between header and footer
RIGHT_X = LEFT + GAP
RIGHT = WIDTH - RIGHT_X
VIEW_HEIGHT = 320  # of the policy's view
TOKENS_TOP = TOP + VIEW_HEIGHT + GAP
BINS = 256


@dataclass(frozen=True, slots=True)
class Scene:
    """What one picture shows. Pictures are RGB (height, width, 3) or None while there is none; rates in [Hz]."""

    viewer: Image | None
    policy_view: Image | None
    instruction: str
    replaced: str
    number: int  # of the episode, from 1; 0 between episodes
    results: tuple[bool | None, ...]  # one per episode: succeeded, failed, still to come
    elapsed: float  # [s] since the instruction
    outcome: bool | None  # of the current episode; None while it runs
    dimension_names: tuple[str, ...]
    tokens: tuple[int, ...]  # 0..255
    probabilities: tuple[float, ...]  # 0..1
    policy: str
    policy_hz: float
    controller_hz: float
    controller_state: str
    real_time_factor: float


def draw(scene: Scene) -> Image:
    """The picture (720, 1280, 3), RGB."""
    canvas = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    canvas[:] = BACKGROUND
    _paste(canvas, scene.viewer, TOP, 0, BODY, LEFT)
    _paste(canvas, scene.policy_view, TOP, RIGHT_X, VIEW_HEIGHT, RIGHT)
    picture = PillowImage.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    _header(pen, scene)
    _caption(pen, 12, TOP + BODY - 26, "outside view" if scene.viewer is not None else "no outside view")
    _caption(pen, RIGHT_X + 12, TOP + VIEW_HEIGHT - 26, "what the policy sees")
    _tokens(pen, scene)
    _footer(pen, scene)
    return np.asarray(picture, dtype=np.uint8)


def _paste(canvas: Image, image: Image | None, top: int, left: int, height: int, width: int) -> None:
    canvas[top : top + height, left : left + width] = PANEL if image is None else fit(image, height, width, PANEL)


def _caption(pen: ImageDraw.ImageDraw, x: int, y: int, text: str) -> None:
    length = pen.textlength(text, font=font(14))
    pen.rectangle((x - 6, y - 3, x + length + 6, y + 19), fill=PANEL)
    pen.text((x, y), text, font=font(14), fill=FAINT)


def _header(pen: ImageDraw.ImageDraw, scene: Scene) -> None:
    pen.rectangle((0, 0, WIDTH, HEADER), fill=PANEL)
    if not scene.number:
        pen.text((20, 18), "between instructions: stop", font=font(26), fill=FAINT)
        return
    size = 30
    while size > 14 and pen.textlength(scene.instruction, font=font(size, bold=True)) > 900:
        size -= 2
    pen.text((20, 8), scene.instruction, font=font(size, bold=True), fill=TEXT)
    below = f"instruction {scene.number} of {len(scene.results)}"
    if scene.replaced:
        below += f"  ·  changed mid-run, before: “{scene.replaced}”"
    pen.text((20, 46), below, font=font(14), fill=FAINT)
    state, color = _state(scene)
    pen.text((WIDTH - 20, 14), state, font=font(26, bold=True), fill=color, anchor="ra")


def _state(scene: Scene) -> tuple[str, Color]:
    if scene.outcome is None:
        return f"{scene.elapsed:.1f} s", BUSY
    word, color = ("done", GOOD) if scene.outcome else ("not done", BAD)
    return f"{word} · {scene.elapsed:.1f} s", color


def _tokens(pen: ImageDraw.ImageDraw, scene: Scene) -> None:
    """One row per action dimension: where its token lies among the 256 bins, and how sure the network was."""
    bottom = TOP + BODY
    pen.rectangle((RIGHT_X, TOKENS_TOP, WIDTH, bottom), fill=PANEL)
    pen.text((RIGHT_X + 12, TOKENS_TOP + 7), "action tokens", font=font(14, bold=True), fill=TEXT)
    if not scene.tokens:
        note = f"{scene.policy or 'this policy'} makes no tokens" if scene.number else ""
        pen.text((RIGHT_X + 12, TOKENS_TOP + 34), note, font=font(14), fill=FAINT)
        return
    pen.text((WIDTH - 12, TOKENS_TOP + 7), "bin · probability", font=font(13), fill=FAINT, anchor="ra")
    rows = list(zip(scene.dimension_names, scene.tokens, scene.probabilities, strict=False))
    step = min(24.0, (bottom - TOKENS_TOP - 34) / max(1, len(rows)))
    for index, (name, token, probability) in enumerate(rows):
        _token_row(pen, TOKENS_TOP + 32 + index * step, step, name, token, probability)


def _token_row(pen: ImageDraw.ImageDraw, y: float, step: float, name: str, token: int, probability: float) -> None:
    left, right = RIGHT_X + 96, WIDTH - 110
    middle = y + step / 2
    color = mix(BAD, GOOD, probability)
    pen.text((RIGHT_X + 12, middle), name, font=font(13), fill=TEXT, anchor="lm")
    pen.rectangle((left, middle - 4, right, middle + 4), fill=LINE)
    center = left + (right - left) * 0.5
    pen.line((center, middle - 6, center, middle + 6), fill=FAINT)
    x = left + (right - left) * token / (BINS - 1)
    pen.rectangle((x - 3, middle - 7, x + 3, middle + 7), fill=color)
    pen.text((WIDTH - 62, middle), str(token), font=font(13), fill=TEXT, anchor="rm")
    pen.text((WIDTH - 12, middle), f"{100 * probability:.0f} %", font=font(13), fill=color, anchor="rm")


def _footer(pen: ImageDraw.ImageDraw, scene: Scene) -> None:
    top = HEIGHT - FOOTER
    pen.rectangle((0, top, WIDTH, HEIGHT), fill=PANEL)
    done = sum(result is True for result in scene.results)
    judged = sum(result is not None for result in scene.results)
    pen.text((20, top + 26), f"score {done} of {judged}", font=font(20, bold=True), fill=TEXT, anchor="lm")
    for index, result in enumerate(scene.results[:24]):
        x = 190 + 26 * index
        fill = {True: GOOD, False: BAD, None: LINE}[result]
        outline = BUSY if index + 1 == scene.number else fill
        pen.ellipse((x, top + 17, x + 18, top + 35), fill=fill, outline=outline, width=3)
    figures = [
        f"policy {scene.policy} {_number(scene.policy_hz, 'Hz')}",
        f"controller {_number(scene.controller_hz, 'Hz')} {scene.controller_state}",
        f"real time ×{_number(scene.real_time_factor, '')}",
    ]
    pen.text((WIDTH - 20, top + 26), "    ".join(figures).rstrip(), font=font(16), fill=FAINT, anchor="rm")


def _number(value: float, unit: str) -> str:
    return f"{value:.2f} {unit}".rstrip() if math.isfinite(value) else "–"
