# SPDX-License-Identifier: Apache-2.0
"""The picture of `vla bench remote`: one panel a part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Drawing = Callable[["Axes", Mapping[str, Any]], None]


def draw(path: Path, parts: Sequence[Drawing], result: Mapping[str, Any]) -> Path:
    """Let each part draw what `result`, the benchmark's JSON, holds of it; returns the picture's path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(max(len(parts), 1), 3)
    rows = max(-(-len(parts) // columns), 1)
    figure = Figure(figsize=(5.0 * columns, 4.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for index, part in enumerate(parts, 1):
        part(figure.add_subplot(rows, columns, index), result)
    figure.savefig(path, dpi=110)
    return path
