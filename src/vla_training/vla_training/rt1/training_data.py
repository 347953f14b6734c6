# SPDX-License-Identifier: Apache-2.0
"""What the trainer draws from: labelled frames, features of their pictures, encoded sentences."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from vla_policy.rt1.instruction import InstructionEncoder, InstructionFeatures
from vla_sim.task.task import FAMILIES

from vla_training.data.frames import ALL_TASKS, FrameTable
from vla_training.data.language import training_sentences


class Features(Protocol):
    """Rows of `early_features`: an array, or files that look like one."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float16]: ...


class InstructionTable:
    """Training sentences, each encoded once."""

    def __init__(self, wordings: int | None = None) -> None:
        """`wordings`: how many of each task are used; all of them by default."""
        encoder = InstructionEncoder()
        sentences = [training_sentences(task)[:wordings] for task in ALL_TASKS]
        self.per_task = len(sentences[0])
        self.features: InstructionFeatures = encoder.batch([s for group in sentences for s in group])

    def to(self, device: torch.device) -> None:
        """Keep the features on another device."""
        self.features = self.features.to(device)

    def draw(self, tasks: NDArray[np.int64], rng: np.random.Generator) -> InstructionFeatures:
        """A random wording of each task (n,)."""
        rows = tasks * self.per_task + rng.integers(0, self.per_task, len(tasks))
        return self.features.select(torch.from_numpy(rows))

    def canonical(self, tasks: NDArray[np.int64]) -> InstructionFeatures:
        """The first wording of each task (n,)."""
        return self.features.select(torch.from_numpy(tasks * self.per_task))


class TaskDraw:
    """Which task a frame is labelled for."""

    def __init__(self, table: FrameTable) -> None:
        self._table = table
        self._families = [np.array([i for i, t in enumerate(ALL_TASKS) if t.family == f]) for f in FAMILIES]

    def mixed(self, rows: NDArray[np.int64], own: float, rng: np.random.Generator) -> NDArray[np.int64]:
        """For each row its episode's own task with probability `own`, else an allowed one, families alike."""
        tasks = self._table.own_task[rows].copy()
        for i in np.flatnonzero(rng.random(len(rows)) > own):
            for _ in range(8):
                candidate = rng.choice(self._families[rng.integers(4)])
                if self._table.allowed[rows[i], candidate]:
                    tasks[i] = candidate
                    break
        return tasks

    def other(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """For each row another allowed task than its episode's own, for the swap check."""
        choices = []
        for row in rows:
            allowed = np.flatnonzero(self._table.allowed[row])
            choices.append(rng.choice(allowed[allowed != self._table.own_task[row]]))
        return np.array(choices)


def windows(first: NDArray[np.bool_], rows: NDArray[np.int64], history: int) -> NDArray[np.int64]:
    """Rows of the `history` frames up to each row, oldest first, (n, history); an episode's first frame repeats."""
    starts = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))[rows]
    back = np.arange(history - 1, -1, -1)
    return np.asarray(np.maximum(rows[:, None] - back, starts[:, None]))
