# SPDX-License-Identifier: Apache-2.0
"""Statistics of a LeRobot data set: of one episode's columns, and of several episodes together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
IMAGE_SAMPLES = 16  # pictures of an episode that its statistics look at

Stats = dict[str, NDArray[Any]]  # min, max, mean, std, count and the quantiles


def column_stats(values: NDArray[Any]) -> Stats:
    """Over the first axis: (T,) gives (1,), (T, n) gives (n,), pictures (T, H, W, 3) give (3, 1, 1) in 0..1."""
    count = len(values)
    if values.ndim == 4:
        picked = values[np.unique(np.linspace(0, count - 1, min(count, IMAGE_SAMPLES)).astype(int)), ::2, ::2]
        return _of_rows(picked.reshape(-1, 3) / 255.0, len(picked), (3, 1, 1))
    rows = values.reshape(count, -1).astype(np.float64)
    return _of_rows(rows, count, (rows.shape[1],))


def _of_rows(rows: NDArray[np.float64], count: int, shape: tuple[int, ...]) -> Stats:
    values = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    values |= dict(zip(QUANTILES, np.quantile(rows, list(QUANTILES.values()), axis=0), strict=True))
    return {name: value.reshape(shape) for name, value in values.items()} | {"count": np.array([count])}


def combine(parts: Sequence[Stats]) -> Stats:
    """Of all episodes together, from theirs. Quantiles are the weighted means of the episodes', as LeRobot's are."""
    counts = np.array([part["count"][0] for part in parts], dtype=np.float64)
    stacked = {name: np.stack([part[name] for part in parts]) for name in parts[0] if name != "count"}
    share = (counts / counts.sum()).reshape(-1, *[1] * (stacked["mean"].ndim - 1))
    mean = (share * stacked["mean"]).sum(0)
    variance = (share * (stacked["std"] ** 2 + (stacked["mean"] - mean) ** 2)).sum(0)
    result = {"min": stacked["min"].min(0), "max": stacked["max"].max(0), "mean": mean, "std": np.sqrt(variance)}
    result |= {name: (share * stacked[name]).sum(0) for name in QUANTILES}
    return result | {"count": np.array([int(counts.sum())])}


def to_columns(stats: Mapping[str, Stats]) -> dict[str, Any]:
    """Columns `stats/FEATURE/NAME` of an episode's row, as lists."""
    return {f"stats/{key}/{name}": value.tolist() for key, part in stats.items() for name, value in part.items()}


def from_columns(row: Mapping[str, Any]) -> dict[str, Stats]:
    """What `to_columns` made."""
    stats: dict[str, Stats] = {}
    for column, value in row.items():
        if column.startswith("stats/"):
            _, feature, name = column.split("/")
            stats.setdefault(feature, {})[name] = np.array(value)
    return stats
