# SPDX-License-Identifier: Apache-2.0
"""One picture of the video: outside view beside the policy's view, with instruction, tokens, rates and score."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from vla_demo.picture.pictures import Image, fit
from vla_demo.picture.style import BACKGROUND, BAD, BUSY, FAINT, GOOD, LINE, PANEL, TEXT, Color, font, mix
from vla_demo.run.samples import ChunkSample

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
FULL_MOVE, FULL_TURN = 0.06, math.pi / 8  # [m], [rad]: ends of the scale for actions without tokens


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
    chunk: ChunkSample | None  # the newest action; None when there is none for this instruction
    policy: str
    policy_hz: float
    controller_hz: float
    controller_state: str
    real_time_factor: float


@dataclass(frozen=True, slots=True)
class Row:
    """One dimension: where its mark stands (-1 left to 1 right), the number beside it, and its probability 0..1."""

    name: str
    place: float
    value: str
    sure: float | None = None


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
    """One row per dimension of the newest action: its token and how sure the network was, or its value."""
    bottom = TOP + BODY
    pen.rectangle((RIGHT_X, TOKENS_TOP, WIDTH, bottom), fill=PANEL)
    title, unit, rows = _rows(scene)
    pen.text((RIGHT_X + 12, TOKENS_TOP + 7), title, font=font(14, bold=True), fill=TEXT)
    pen.text((WIDTH - 12, TOKENS_TOP + 7), unit, font=font(13), fill=FAINT, anchor="ra")
    step = min(24.0, (bottom - TOKENS_TOP - 34) / max(1, len(rows)))
    for index, row in enumerate(rows):
        _row(pen, TOKENS_TOP + 32 + index * step, step, row)


def _rows(scene: Scene) -> tuple[str, str, list[Row]]:
    """Title, what the numbers are, and the rows."""
    chunk = scene.chunk
    if chunk is None:
        return "action", "", []
    if not chunk.tokens:
        return "action", f"{scene.policy} makes no tokens", _value_rows(chunk)
    tokens = zip(chunk.dimension_names, chunk.tokens, chunk.probabilities, strict=False)
    rows = [Row(name, 2 * token / (BINS - 1) - 1, str(token), sure) for name, token, sure in tokens]
    return "action tokens", "bin · probability", rows


def _value_rows(chunk: ChunkSample) -> list[Row]:
    rows = [Row(n, v / FULL_MOVE, f"{1e3 * v:+.0f} mm") for n, v in zip("xyz", chunk.translation, strict=True)]
    turns = zip(("roll", "pitch", "yaw"), chunk.rotation, strict=True)
    rows += [Row(name, value / FULL_TURN, f"{math.degrees(value):+.0f}°") for name, value in turns]
    if math.isfinite(chunk.gripper):
        rows.append(Row("gripper", 2 * chunk.gripper - 1, f"{chunk.gripper:.2f}"))
    return rows


def _row(pen: ImageDraw.ImageDraw, y: float, step: float, row: Row) -> None:
    left, right = RIGHT_X + 96, WIDTH - 132
    middle, half = y + step / 2, (right - left) / 2
    pen.text((RIGHT_X + 12, middle), row.name[:11], font=font(13), fill=TEXT, anchor="lm")
    pen.rectangle((left, middle - 4, right, middle + 4), fill=LINE)
    pen.line((left + half, middle - 6, left + half, middle + 6), fill=FAINT)
    x = left + half + half * min(1.0, max(-1.0, row.place))
    color = BUSY if row.sure is None else mix(BAD, GOOD, row.sure)
    pen.rectangle((x - 3, middle - 7, x + 3, middle + 7), fill=color)
    pen.text((WIDTH - 62, middle), row.value, font=font(13), fill=TEXT, anchor="rm")
    if row.sure is not None:
        pen.text((WIDTH - 12, middle), f"{100 * row.sure:.0f} %", font=font(13), fill=color, anchor="rm")


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
