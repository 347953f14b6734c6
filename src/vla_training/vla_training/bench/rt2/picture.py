# SPDX-License-Identifier: Apache-2.0
"""The picture of `vla bench rt2`: which answers are actions, what clipping makes of the others, time of one action."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = (
    "constrained",
    "constrained_guessing",
    "same_picture_guessed",
    "generate",
    "generate_with_the_mask",
    "prompt_alone",
    "constrained_compiled",
)


def draw(path: Path, result: Mapping[str, Any]) -> Path:
    """Draw what `result`, the benchmark's JSON, holds; returns the picture's path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    parts = [
        (drawn, result[key])
        for drawn, key in ((_draw_legal, "legality"), (_draw_values, "legality"), (_draw_times, "speed"))
        if result[key]
    ]
    figure = Figure(figsize=(5.0 * max(1, len(parts)), 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    for column, (drawn, found) in enumerate(parts, 1):
        drawn(figure.add_subplot(1, len(parts), column), found)
    figure.savefig(path, dpi=110)
    return path


def _draw_legal(axes: Axes, found: Mapping[str, Any]) -> None:
    names = [(mode, way) for mode in ("greedy", "sample") for way in ("constrained", "unconstrained")]
    shares = [100.0 * found[mode][way]["legal_strings"] for mode, way in names]
    bars = axes.bar([f"{way}\n{mode}" for mode, way in names], shares, color=["C0", "C3"] * 2, width=0.6)
    axes.bar_label(bars, fmt="%.4g %%")
    axes.tick_params(axis="x", labelsize="small")
    axes.set(
        ylabel="answers that are legal actions [%]", ylim=(0, 112), title=f"{found['decodes']} random decodes each"
    )


def _draw_values(axes: Axes, found: Mapping[str, Any]) -> None:
    lines = {
        "uniform": found["uniform"],
        "constrained, sampled": found["sample"]["constrained"]["values"],
        "stray answers clipped (OpenVLA)": found["sample"]["unconstrained"]["clipped"],
    }
    for name, spread in lines.items():
        if spread:
            bars = np.array(spread["histogram"])
            edges = np.linspace(-1.0, 1.0, len(bars) + 1)
            axes.stairs(100.0 * bars, edges, label=f"{name}: {spread['at_ends']:.1%} at an end", linewidth=1.8)
    axes.set(
        xlabel="value, relative to its range", ylabel="share of values [%]", yscale="log", title="what is commanded"
    )
    axes.set_ylim(top=1000.0)
    axes.legend(fontsize="small")


def _draw_times(axes: Axes, speed: Mapping[str, Any]) -> None:
    shapes = list(speed)
    ways = [way for way in SHOWN if any(way in speed[shape]["picture_first"] for shape in shapes)]
    height = 0.8 / max(1, len(ways))
    for index, way in enumerate(ways):
        there = [i for i, shape in enumerate(shapes) if way in speed[shape]["picture_first"]]
        times = [speed[shapes[i]]["picture_first"][way]["p50_ms"] for i in there]
        bars = axes.barh([i + index * height for i in there], times, height, label=way.replace("_", " "))
        axes.bar_label(bars, fmt=" %.3g", fontsize=8)
    labels = [f"{shape}\n{speed[shape]['parameters'] / 1e6:.3g} M" for shape in shapes]
    axes.set_yticks([i + 0.4 - height / 2 for i in range(len(shapes))], labels)
    scale = "log" if len(shapes) > 1 else "linear"  # shapes differ by powers of ten
    axes.set(xlabel="time of one action, median [ms]", xscale=scale, title="the same model, the same machine")
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.14), ncol=2)
