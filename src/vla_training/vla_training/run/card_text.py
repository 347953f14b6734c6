# SPDX-License-Identifier: Apache-2.0
"""What the model cards of all policies share: tables, and files that are replaced whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vla_core.files import write_text

LIMITS = (
    "It knows the objects, the table and the camera of this simulator, and nothing of another scene or of a real "
    "robot. The controller's limits and its safety gate stay responsible for what moves."
)

RECORDED_LIMITS = (
    "It knows the robot, the camera and the tasks of its data, and nothing else. The controller's limits and its "
    "safety gate stay responsible for what moves."
)


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write each file of a folder, by name, in one piece."""
    for name, text in files.items():
        write_text(folder / name, text)


def validation_table(figures: Mapping[str, float], named: Mapping[str, str], note: str = "") -> list[str]:
    """Figures on held-out episodes, `named` by their keys; nothing for none."""
    if not figures:
        return []
    known = [(text, figures.get(key)) for key, text in named.items()]
    lines = [
        "",
        f"On held-out episodes, at step {figures.get('step', 0):.0f}{note}:",
        "",
        "| figure | value |",
        "|---|---|",
    ]
    return [*lines, *(f"| {text} | {value:.3g} |" for text, value in known if value is not None)]


def measured_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Reports of `vla eval` as a table."""
    families = list(dict.fromkeys(family for row in rows for family in row["per_family"]))
    lines = [f"| robot | wording | seed | episodes | success (95 % interval) | {' | '.join(families)} |"]
    lines.append("|---" * (5 + len(families)) + "|")
    for row in rows:
        each = [row["per_family"].get(family) for family in families]
        cells = [f"{100 * one['success_rate']:.0f} % of {one['episodes']}" if one else "-" for one in each]
        low, high = row["interval_95"]
        total = f"{100 * row['success_rate']:.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"
        wording = row["instructions"] or "as in training"
        start = f"| {row['robot']} | {wording} | {row['seed']} | {row['episodes']} | {total} |"
        lines.append(f"{start} {' | '.join(cells)} |")
    return [*lines, "", "Closed loop in lockstep simulation (`./vla eval`), fresh table layouts, success by physics."]
