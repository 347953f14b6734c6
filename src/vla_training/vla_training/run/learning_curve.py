# SPDX-License-Identifier: Apache-2.0
"""`vla plot`: learning_curve.png of a training run, from its metrics; `vla train rt1` keeps it up to date."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vla_training.run import run_log
from vla_training.run.arguments import Parser
from vla_training.run.errors import TrainingError
from vla_training.run.run_log import TRAIN_LOG, VALIDATION_LOG, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = "learning_curve.png"
_PANELS: tuple[tuple[str, dict[str, str], dict[str, str]], ...] = (
    ("action loss", {"loss": "training"}, {"loss": "held out"}),
    ("error [mm]", {"goal_mm": "goal, training"}, {"goal_mm": "goal, held out", "step_mm": "step, held out"}),
    (
        "share, held out",
        {},
        {
            "gripper": "gripper right",
            "mode": "mode right",
            "swap": "follows a swapped instruction",
            "error": "error of a column, of its range",
            "switch": "switching columns right",
        },
    ),
)


def draw(run: Path, out: Path | None = None) -> Path:
    """Draw the run's metrics; returns the picture's path. Raises TrainingError where there are none."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    train, validation = run_log.read(run / TRAIN_LOG), run_log.read(run / VALIDATION_LOG)
    if not train and not validation:
        raise TrainingError(f"{run} holds no metrics: {TRAIN_LOG} is missing or empty; `vla train rt1 --out` makes it")
    figure = Figure(figsize=(13, 4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (label, training_keys, validation_keys) in zip(figure.subplots(1, 3), _PANELS, strict=True):
        _draw_lines(axes, train, training_keys, "-")
        _draw_lines(axes, validation, validation_keys, "o-")
        axes.set(xlabel="step", ylabel=label)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    path = out or run / PICTURE
    temporary = path.with_name(f".{path.stem}.tmp.png")
    figure.savefig(temporary, dpi=110)
    temporary.replace(path)
    return path


def _draw_lines(axes: Axes, rows: Sequence[Row], keys: dict[str, str], style: str) -> None:
    for key, label in keys.items():
        if any(key in row for row in rows):
            values = [row.get(key, math.nan) for row in rows]
            axes.plot([row["step"] for row in rows], values, style, markersize=3, label=label)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla plot`; returns the exit status."""
    parser = Parser(prog="vla plot", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a training run")
    parser.add_argument("--out", type=Path, help=f"picture (default RUN/{PICTURE})")
    arguments = parser.parse_args(argv)
    print(draw(arguments.run, arguments.out))
    return 0
