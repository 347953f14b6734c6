# SPDX-License-Identifier: Apache-2.0
"""The figures as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vla_speech.bench.measure import CONDITIONS

_LABELS = {"clean": "clean", "db20": "20 dB", "db10": "10 dB", "echo": "echo 0.4 s"}


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draw the share of right instructions and of spotted stops by condition."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axes = figure.add_subplot()
    rows = {"right instruction": result, "stop spotted": result["stop"]["recall_by_condition"]}
    for offset, (name, shares) in enumerate(rows.items()):
        heights = [100.0 * (shares[condition] or 0.0) for condition in CONDITIONS]
        bars = axes.bar([index + 0.4 * offset - 0.2 for index in range(len(heights))], heights, 0.38, label=name)
        axes.bar_label(bars, fmt="%.0f")
    axes.set_xticks(range(len(CONDITIONS)), [_LABELS[condition] for condition in CONDITIONS])
    axes.set(ylim=(0, 112), ylabel="share [%]")
    axes.set_title(
        f"{result['utterances']} instructions, {result['stop']['trials']} stops, {len(result['voices'])} voices; "
        f"stop p95 {result['stop']['p95_ms']} ms",
        fontsize=10,
    )
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=110)
