# SPDX-License-Identifier: Apache-2.0
"""The report as a picture: a panel a table, a bar a cell with its interval, the papers' rates as marks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_core.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKS = "ov^sDP*X"


def draw(report: dict[str, Any], path: Path) -> Path:
    """Draw a report of `vla eval tables`; returns the picture's path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tables = report["tables"]
    rows = [1.4 + 0.34 * len(entry["cells"]) for entry in tables.values()]
    figure = Figure(figsize=(10, sum(rows) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(tables), 1, squeeze=False, gridspec_kw={"height_ratios": rows})[:, 0]
    for axes, entry in zip(panels, tables.values(), strict=True):
        _draw_table(axes, entry)
    figure.suptitle(f"{report['policy']} {report['checkpoint'] or 'shipped'}, {report['robot']}, seed {report['seed']}")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")
    return path


def _draw_table(axes: Axes, entry: dict[str, Any]) -> None:
    names = list(entry["cells"])
    for row, cell in enumerate(entry["cells"].values()):
        if cell["success_rate"] is None:
            continue
        rate, (low, high) = 100 * cell["success_rate"], cell["interval_95"]
        axes.barh(row, rate, color="C0", height=0.6)
        axes.errorbar(rate, row, xerr=[[max(0.0, rate - 100 * low)], [max(0.0, 100 * high - rate)]], color="black")
        axes.text(103, row, f"{cell['successes']} of {cell['episodes_run']}", va="center", fontsize=8)
    for mark, (policy, rates) in zip(_MARKS, entry["paper"].items(), strict=False):
        spots = [(rate, names.index(name)) for name, rate in rates.items()]
        axes.plot(*zip(*spots, strict=True), mark, color="C1", mfc="none", label=f"{policy}, in its paper")
    axes.set(yticks=range(len(names)), yticklabels=names, xlim=(0, 118), xlabel="success [%]", title=entry["title"])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    if entry["paper"]:
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
