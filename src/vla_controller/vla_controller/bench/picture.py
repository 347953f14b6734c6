# SPDX-License-Identifier: Apache-2.0
"""The picture of `vla bench controller`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_controller.bench.seams import RATE

Array = npt.NDArray[np.float64]

_COLOURS = {"hold_last": "tab:red", "linear": "tab:orange", "cubic": "tab:blue", "this": "tab:green"}


def draw(path: Path, curves: Mapping[str, Array], report: Mapping[str, Any], rests: Sequence[float]) -> None:
    """Seams (position, acceleration), their peaks, and how long arms took to rest, as ``path``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 10.5), layout="constrained")
    axes = figure.subplots(3, 2)
    _curves(axes[0, 0], axes[0, 1], curves)
    _peaks(axes[1, 0], report["seams"]["ways"])
    if rests:
        axes[1, 1].hist(rests, bins=np.linspace(0.0, 0.55, 45), color="tab:green")
    axes[1, 1].axvline(report["policy_killed"]["at_most_s"], color="black", linestyle=":")
    axes[1, 1].set(title="policy killed in mid-motion", xlabel="last due step to rest [s]", ylabel="streams")
    _shares(axes[2, 0], report["arm_interpolation"], "acceleration")
    _shares(axes[2, 1], report["arm_interpolation"], "jerk")
    streams = report["streams"]
    figure.suptitle(f"{streams['streams']} chunk streams: {streams['violations']} violations of a limit")
    figure.savefig(path, dpi=120)


def _curves(position: Any, acceleration: Any, curves: Mapping[str, Array]) -> None:
    joint = int(np.argmax(np.ptp(curves["linear"], axis=0)))
    for name, rows in curves.items():
        times = np.arange(len(rows)) / RATE
        position.plot(times, rows[:, joint], color=_COLOURS[name], label=name, linewidth=1)
        change = np.abs(np.diff(rows, 2, axis=0)).max(axis=1) * RATE**2
        acceleration.semilogy(times[2:], np.maximum(change, 1e-2), color=_COLOURS[name], linewidth=0.8, label=name)
    position.set(title=f"recorded run, joint {joint + 1}", xlabel="[s]", ylabel="[rad]")
    acceleration.set(title="command, largest joint, at 1 kHz", xlabel="[s]", ylabel="acceleration [rad/s²]")
    position.legend(fontsize=8)


def _peaks(axis: Any, ways: Mapping[str, Mapping[str, float]]) -> None:
    keys = ("peak_acceleration", "peak_acceleration_20_hz", "arm_peak_acceleration")
    for k, (name, row) in enumerate(ways.items()):
        axis.bar(
            np.arange(len(keys)) + 0.2 * (k - 1.5), [row[key] for key in keys], 0.2, color=_COLOURS[name], label=name
        )
    axis.set_yscale("log")
    axis.set_xticks(range(len(keys)), ["command at 1 kHz", "command at 20 Hz", "arm that follows"])
    axis.set(title="peak acceleration", ylabel="[rad/s²]")
    axis.legend(fontsize=8)


def _shares(axis: Any, report: Mapping[str, Any], what: str) -> None:
    """Peaks at 1 kHz of what the arm's own splines make of the stream, by receiver."""
    sorts = [sort for sort, row in report.items() if isinstance(row, dict)]
    names = [name for name in (report[sorts[0]] if sorts else ()) if "linear" not in name]
    for k, sort in enumerate(sorts):
        places = np.arange(len(names)) + 0.8 / len(sorts) * (k - 0.5 * (len(sorts) - 1))
        axis.barh(places, [report[sort][name][what] for name in names], 0.8 / len(sorts), label=sort)
    axis.axvline(1.0, color="black", linestyle=":")
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.set_xscale("log")
    axis.set(title=f"{what} of the arm's own splines", xlabel="share of the arm's limit")
    axis.legend(fontsize=8)
