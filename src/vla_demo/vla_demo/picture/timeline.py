# SPDX-License-Identifier: Apache-2.0
"""The run in one picture: what the chunks asked for, what was sent, what the arm did; rates and latencies below."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vla_demo.picture.style import FAMILY_COLORS, OTHER_COLOR
from vla_demo.run.samples import Array, Recording, between

DETAIL_S = 6.0  # length of the stretch that is shown large, with the chunks' seams
CURVES = {"reference": ("#c0392b", 1.6, "-"), "setpoint": ("#1f5fa8", 1.1, "-"), "measured": ("#16a085", 1.0, "--")}
SEAM_COLOR = "#b7bdc7"
DPI = 110
LEAST_RAD = 0.05


def write_timeline(recording: Recording, title: str, path: Path) -> bool:
    """Write the picture (PNG). False and no file when the controller said nothing during any episode."""
    if not recording.episodes:
        return False
    start, end = recording.episodes[0].first_start, recording.episodes[-1].end
    if not between(recording.controller, start, end):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_timeline(recording, title, start, end).savefig(path, dpi=DPI)
    return True


def draw_timeline(recording: Recording, title: str, start: float, end: float) -> Figure:
    """The figure of the run from `start` to `end` [s]: whole run on the left, six seconds of it on the right."""
    names = recording.joint_names
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(17, 1.15 * len(names) + 7.2), layout="constrained")
        axes = figure.subplots(
            len(names) + 4,
            2,
            sharex="col",
            squeeze=False,
            gridspec_kw={"width_ratios": [1.7, 1], "height_ratios": [1] * (len(names) + 1) + [1.15] * 3},
        )
        windows = ((start, end), detail_window(recording))
        for column, window in enumerate(windows):
            _column(axes[:, column], recording, window, start, detail=column == 1)
        _titles(figure, axes, recording, title, windows, start)
    return figure


def detail_window(recording: Recording) -> tuple[float, float]:
    """The six seconds that are shown large: around a change of instruction mid-run, else the first episode's start."""
    for episode in recording.episodes:
        if episode.replaced:
            return episode.replaced_start, episode.replaced_start + DETAIL_S
    start = recording.episodes[0].start
    return start, start + DETAIL_S


def _column(axes: np.ndarray, recording: Recording, window: tuple[float, float], zero: float, detail: bool) -> None:
    names = recording.joint_names
    for axis in axes:
        _spans(axis, recording, zero)
        axis.grid(alpha=0.25)
        axis.set_xlim(window[0] - zero, window[1] - zero)
        if detail:
            for chunk in between(recording.chunks, *window):
                axis.axvline(chunk.stamp - zero, color=SEAM_COLOR, lw=0.7, zorder=0.5)
    margin = 0.1
    ticks = between(recording.controller, window[0] - margin, window[1] + margin)
    times = np.array([tick.stamp - zero for tick in ticks])
    for index in range(len(names)):
        for name, (color, width, style) in CURVES.items():
            values = _joint([getattr(tick, name) for tick in ticks], index, len(names))
            axes[index].plot(times, values, color=color, lw=width, ls=style)
        _not_magnified(axes[index])
    axes[len(names)].plot(times, [tick.gripper for tick in ticks], color=CURVES["setpoint"][0], lw=1.2)
    axes[len(names)].set_ylim(-0.08, 1.08)
    _rates(axes[-3], recording, window, zero)
    _latencies(axes[-2], recording, window, zero)
    axes[-1].plot(times, [1e3 * tick.tick_period for tick in ticks], ".", ms=2.5, color=CURVES["setpoint"][0])
    axes[-1].set_ylim(0, max([80.0, *(1e3 * tick.tick_period for tick in ticks if math.isfinite(tick.tick_period))]))
    axes[-1].set_xlabel("time since the first instruction [s]")


def _not_magnified(axis: Axes) -> None:
    """At least LEAST_RAD of height, so that a joint that rests looks as if it did."""
    low, high = axis.get_ylim()
    more = max(0.0, LEAST_RAD - (high - low)) / 2
    axis.set_ylim(low - more, high + more)
    axis.ticklabel_format(axis="y", useOffset=False, style="plain")


def _joint(rows: list[Array], index: int, count: int) -> list[float]:
    """Column `index` of the rows; NaN where a row is not of `count` joints."""
    return [float(row[index]) if len(row) == count else math.nan for row in rows]


def _spans(axis: Axes, recording: Recording, zero: float) -> None:
    for episode in recording.episodes:
        color = FAMILY_COLORS.get(episode.family, OTHER_COLOR)
        axis.axvspan(episode.first_start - zero, episode.end - zero, color=color, alpha=0.13, lw=0)
        if episode.replaced:
            axis.axvline(episode.start - zero, color="#333333", lw=1.0, ls=":")


def _rates(axis: Axes, recording: Recording, window: tuple[float, float], zero: float) -> None:
    """Rates that the nodes measured: the controller's over 1 s, the policy's over 2 s, the simulator's over 5 s."""
    ticks = between(recording.controller, window[0] - 1.0, window[1])
    times = np.array([tick.stamp - zero for tick in ticks])
    periods = np.array([tick.tick_period for tick in ticks])
    if len(ticks) >= 20:
        mean = np.convolve(periods, np.ones(20) / 20, mode="valid")
        axis.plot(times[19:], 1 / mean, color="#1f5fa8", lw=1.2)
    status = between(recording.policy, *window)
    axis.plot([s.stamp - zero for s in status], [s.rate for s in status], color="#d35400", lw=1.2)
    tasks = between(recording.task, *window)
    axis.plot([s.stamp - zero for s in tasks], [10 * s.real_time_factor for s in tasks], color="#7f8c8d", lw=1.2)
    axis.set_ylim(0, 25)


def _latencies(axis: Axes, recording: Recording, window: tuple[float, float], zero: float) -> None:
    chunks = between(recording.chunks, *window)
    axis.plot([c.stamp - zero for c in chunks], [1e3 * c.inference_time for c in chunks], ".", ms=3, color="#d35400")
    ages = [1e3 * (c.stamp - c.observation_stamp) for c in chunks]
    axis.plot([c.stamp - zero for c in chunks], ages, ".", ms=3, color="#8e44ad")
    seen: set[int] = set()
    points = []
    for tick in between(recording.controller, *window):
        if tick.chunk_sequence not in seen and math.isfinite(tick.stamp_to_setpoint):
            seen.add(tick.chunk_sequence)
            points.append((tick.stamp - zero, 1e3 * tick.stamp_to_setpoint))
    if points:
        axis.plot(*zip(*points, strict=True), ".", ms=3, color="#1f5fa8")
    axis.set_ylim(bottom=0)


def _titles(
    figure: Figure,
    axes: np.ndarray,
    recording: Recording,
    title: str,
    windows: tuple[tuple[float, float], ...],
    zero: float,
) -> None:
    names = recording.joint_names
    shared = tuple(f"{name}\n[rad]" for name in names)
    labels = (*shared, "gripper\n0..1", "rates", "latency\n[ms]", "tick\n[ms]")
    for axis, label in zip(axes[:, 0], labels, strict=True):
        axis.set_ylabel(label)
    for axis in axes[:, 1]:
        axis.yaxis.tick_right()
    figure.align_ylabels(axes[:, 0])
    handles = [Line2D([], [], color=c, lw=w + 0.4, ls=s, label=n) for n, (c, w, s) in CURVES.items()]
    seam = Line2D([], [], color=SEAM_COLOR, lw=1.5, label="a new chunk (right)")
    figure.legend(handles=[*handles, seam], loc="outside upper right", ncols=4, frameon=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    _legend(axes[-3, 0], (("#1f5fa8", "controller [Hz]"), ("#d35400", "policy [Hz]"), ("#7f8c8d", "real time ×10")))
    delays = (("#d35400", "inference"), ("#8e44ad", "image to chunk"), ("#1f5fa8", "image to setpoint"))
    _legend(axes[-2, 0], delays)
    _captions(axes[0, 0], recording, zero)
    window = windows[1]
    axes[0, 1].set_title(f"{window[0] - zero:.1f} s to {window[1] - zero:.1f} s", fontsize=9, loc="right")


def _legend(axis: Axes, entries: tuple[tuple[str, str], ...]) -> None:
    handles = [Line2D([], [], color=color, marker=".", lw=1.2, label=label) for color, label in entries]
    axis.legend(handles=handles, loc="center left", ncols=1, fontsize=7.5, framealpha=0.85)


def _captions(axis: Axes, recording: Recording, zero: float) -> None:
    """The instructions above the whole run, each over its span, in two rows."""
    few = len(recording.episodes) <= 8
    for index, episode in enumerate(recording.episodes):
        mark = "✓" if episode.success else "✗"
        change = " (changed mid-run)" if episode.replaced else ""
        text = f"{mark} {episode.instruction}{change}\n    {episode.seconds:.1f} s" if few else mark
        color = FAMILY_COLORS.get(episode.family, OTHER_COLOR)
        axis.annotate(
            text,
            (episode.first_start - zero, 1.06),
            xycoords=("data", "axes fraction"),
            xytext=(0, 26 * (index % 2) if few else 0),
            textcoords="offset points",
            fontsize=8,
            color=color,
            fontweight="bold",
        )
