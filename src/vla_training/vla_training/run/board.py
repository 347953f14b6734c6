# SPDX-License-Identifier: Apache-2.0
"""Figures of a run for TensorBoard too, where that is installed: `tensorboard --logdir RUN`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"


class Board:
    """Writes figures by their name and step; does nothing where TensorBoard is not installed."""

    def __init__(self, run: Path, step: int) -> None:
        """What an earlier process wrote beyond `step`, at which the run continues, is forgotten."""
        self._writer: SummaryWriter | None = None
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter  # seconds

            self._writer = SummaryWriter(str(run / FOLDER), purge_step=step)

    def add(self, group: str, step: int, figures: Mapping[str, float]) -> None:
        """Add figures of a group, training or validation."""
        if self._writer is not None:
            for name, value in figures.items():
                self._writer.add_scalar(f"{group}/{name}", value, step)
            self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
