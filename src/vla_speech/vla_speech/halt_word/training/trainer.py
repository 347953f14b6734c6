# SPDX-License-Identifier: Apache-2.0
"""Training of the head: first where the time of the halt word is known, then with the best window of the others too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from vla_speech.halt_word.spotter import Array, probabilities
from vla_speech.halt_word.training.windows import NO, YES, Labels, Windows

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Size of the head and course of its training."""

    hidden: tuple[int, int] = (96, 32)
    dropout: float = 0.3
    weight_decay: float = 0.05
    batch: int = 1024
    epochs: int = 14
    learning_rate: float = 2e-3  # falls to an eighth of it
    rounds: int = 2  # with the best windows of clips in which the halt word is somewhere
    round_epochs: int = 8
    round_learning_rate: float = 1.2e-3  # divided by the number of the round
    yes_weight: float = 2.0  # of windows with the halt word


class HeadTrainer:
    """Trains a head on windows; the same seed and windows give the same head on the same machine and threads."""

    def __init__(self, windows: Windows, seed: int, settings: TrainSettings | None = None) -> None:
        """Initialise the head. Raises ValueError for a number of windows under 2."""
        if len(windows.inputs) < 2:
            raise ValueError(f"{len(windows.inputs)} windows; valid: 2 and more")
        self._settings = settings or TrainSettings()
        self._windows = windows
        self._mean = windows.inputs.mean(axis=0)
        self._scale = windows.inputs.std(axis=0) + 1e-3
        self._inputs = torch.from_numpy((windows.inputs - self._mean) / self._scale)
        self._rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        first, second = self._settings.hidden
        self._layers = nn.ModuleList(
            [nn.Linear(windows.inputs.shape[1], first), nn.Linear(first, second), nn.Linear(second, 1)]
        )
        self._optimiser = torch.optim.AdamW(
            self._layers.parameters(), self._settings.learning_rate, weight_decay=self._settings.weight_decay
        )

    @property
    def weights(self) -> dict[str, Array]:
        """The head, as `spotter.head` takes it."""
        found = {"mean": self._mean, "scale": self._scale}
        for number, layer in enumerate(self._layers):
            found |= {f"{name}{number}": value.detach().numpy().copy() for name, value in layer.named_parameters()}
        return {name: np.ascontiguousarray(value, np.float32) for name, value in found.items()}

    def run(self, report: Report = print) -> dict[str, Array]:
        """Train the whole course and return the head."""
        settings = self._settings
        labels = self._windows.labels
        for epoch in range(settings.epochs):
            rate = settings.learning_rate * (1.0 - epoch / (settings.epochs + 2.0))
            self._report(report, "epoch", epoch, self.epoch(labels, rate))
        for number in range(settings.rounds):
            labels = self._windows.with_best(probabilities(self.weights, self._windows.inputs))
            for epoch in range(settings.round_epochs):
                rate = settings.round_learning_rate / (number + 1) * (1.0 - epoch / (settings.round_epochs + 0.5))
                self._report(report, f"round {number + 1} of best windows, epoch", epoch, self.epoch(labels, rate))
        return self.weights

    def epoch(self, labels: Labels, rate: float) -> float:
        """Train once with every window of YES and NO, in a new order, and return the mean loss."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        used = np.flatnonzero((labels == YES) | (labels == NO))
        self._rng.shuffle(used)
        batches = [used[start : start + self._settings.batch] for start in range(0, len(used), self._settings.batch)]
        return float(np.mean([self.step(batch, labels[batch]) for batch in batches]))

    def step(self, batch: np.ndarray, labels: Labels) -> float:
        """Do one update with the windows `batch` (numbers) and return the loss before it."""
        targets = torch.from_numpy(labels.astype(np.float32))
        losses = binary_cross_entropy_with_logits(self._logits(self._inputs[batch]), targets, reduction="none")
        loss = (losses * torch.where(targets > 0.5, self._settings.yes_weight, 1.0)).mean()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return loss.item()

    def _logits(self, inputs: torch.Tensor) -> torch.Tensor:
        dropout = self._settings.dropout
        hidden = nn.functional.dropout(inputs, dropout)
        hidden = nn.functional.dropout(torch.relu(self._layers[0](hidden)), dropout)
        logits: torch.Tensor = self._layers[2](torch.relu(self._layers[1](hidden)))[:, 0]
        return logits

    @staticmethod
    def _report(report: Report, what: str, epoch: int, loss: float) -> None:
        if epoch % 4 == 3:
            report(f"{what} {epoch + 1}: loss {loss:.4f}")
