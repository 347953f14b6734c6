# SPDX-License-Identifier: Apache-2.0
"""The training loop that RT-1 and RT-2 share: resumable, with averaged weights, live metrics and checkpoints."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from vla_training.run.board import Board
from vla_training.run.run_log import TRAIN_LOG, VALIDATION_LOG, append, drop_after
from vla_training.run.session import CHECKPOINT
from vla_training.run.train_state import load_state, save_state

Figures = dict[str, float]


class LoopSettings(Protocol):
    """What the loop reads of the hyperparameters."""

    @property
    def steps(self) -> int:
        """Updates in all."""

    @property
    def seed(self) -> int:
        """Seed of the draws."""

    @property
    def clip(self) -> float:
        """Largest norm of the gradient."""

    @property
    def ema(self) -> float:
        """Decay of the averaged weights."""

    @property
    def report_every(self) -> int:
        """Updates between two reports."""

    @property
    def validate_every(self) -> int:
        """Updates between two checkpoints."""

    def rate_factor(self, step: int) -> float:
        """Return the factor of the learning rates at a step counted from 0."""


class TrainingLoop(ABC):
    """Holds network, averaged network and optimiser; a subclass draws samples and computes losses."""

    folder: Path
    settings: LoopSettings
    network: nn.Module
    average: nn.Module | None  # None: no averaged weights
    optimiser: torch.optim.Optimizer
    step: int = 0
    _board: Board

    @abstractmethod
    def train_step(self, rng: np.random.Generator) -> Figures:
        """Do one update, by `update`, and return its figures; NaN for one that was not computed."""

    @abstractmethod
    def export(self, folder: Path) -> None:
        """Write a checkpoint that the policy loads."""

    @abstractmethod
    def validate(self) -> Figures:
        """Return figures on held-out data; empty without such data."""

    def beside(self) -> nn.Module:
        """Return what belongs to the state of the run beside the network."""
        return self.average or nn.Module()

    def resume(self) -> bool:
        """Continue from the folder's state if there is one. Raises TrainingError for a state that does not fit."""
        step = load_state(self.folder, self.network, self.beside(), self.optimiser)
        self.step = step or 0
        for name in (TRAIN_LOG, VALIDATION_LOG) if step is not None else ():
            drop_after(self.folder / name, self.step)
        return step is not None

    def run(
        self,
        report: Callable[[str], None],
        stop: Callable[[], bool] = lambda: False,
        on_checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        """Train until `settings.steps` or until `stop` returns true; save at each validation and at the end."""
        rng = np.random.default_rng([self.settings.seed, self.step])
        torch.manual_seed(int(rng.integers(2**31)))
        rows: list[Figures] = []
        self._board = Board(self.folder, self.step)
        started, first = time.monotonic(), self.step
        while self.step < self.settings.steps and not stop():
            rows.append(self.train_step(rng))
            self.step += 1
            if self.step % self.settings.report_every == 0:
                self._report(report, rows, (self.step - first) / (time.monotonic() - started))
                rows.clear()
            if self.step % self.settings.validate_every == 0 and self.step < self.settings.steps:
                self._checkpoint(report, validate=True)
                on_checkpoint()
        self._checkpoint(report, validate=self.step >= self.settings.steps)
        on_checkpoint()
        self._board.close()

    def update(self, loss: torch.Tensor) -> None:
        """Descend along the gradient of `loss` at the rate of this step, then update the averaged weights."""
        factor = self.settings.rate_factor(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * factor
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.optimiser.step()
        self._update_average()

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average is None:
            return
        decay = min(self.settings.ema, (self.step + 1) / (self.step + 10))
        pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
        trained = [(average, own.detach()) for average, own in pairs if own.requires_grad]
        torch._foreach_lerp_([average for average, _ in trained], [own for _, own in trained], 1.0 - decay)

    def _report(self, report: Callable[[str], None], rows: Sequence[Figures], rate: float) -> None:
        mean = {key: _mean([row[key] for row in rows]) for key in rows[0]}
        left = (self.settings.steps - self.step) / rate / 60
        figures = " ".join(f"{key} {value:.3f}" for key, value in mean.items())
        report(f"step {self.step}/{self.settings.steps} {figures}  {rate:.2f} steps/s, {left:.0f} min left")
        append(self.folder / TRAIN_LOG, {"step": self.step, **mean})
        self._board.add("training", self.step, mean)

    def _checkpoint(self, report: Callable[[str], None], validate: bool) -> None:
        save_state(self.folder, self.step, self.network, self.beside(), self.optimiser)
        self.export(self.folder / CHECKPOINT)
        figures: dict[str, Any] = self.validate() if validate else {}
        if figures:
            append(self.folder / VALIDATION_LOG, {"step": self.step, **figures})
            self._board.add("validation", self.step, figures)
            report("  validation: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
