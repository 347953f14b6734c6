# SPDX-License-Identifier: Apache-2.0
"""Metrics of a training run as CSV files: one row a report, of which a resumed run drops what it will do again."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

TRAIN_LOG, VALIDATION_LOG = "train.csv", "validation.csv"

Row = dict[str, float]


def append(path: Path, row: Mapping[str, float]) -> None:
    """Add a row; the first one also writes the header."""
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow({key: f"{value:.6g}" for key, value in row.items()})


def read(path: Path) -> list[Row]:
    """Every whole row; none when there is no file. A row that was cut short is left out."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            {key: _number(value) for key, value in row.items()}
            for row in csv.DictReader(file)
            if None not in row.values()
        ]
    return [row for row in rows if not math.isnan(row.get("step", math.nan))]


def drop_after(path: Path, step: int) -> None:
    """Forget the rows of later steps than `step`."""
    rows = read(path)
    if not rows:
        return
    path.unlink()
    for row in rows:
        if row["step"] <= step:
            append(path, row)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
