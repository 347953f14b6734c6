# SPDX-License-Identifier: Apache-2.0
"""Figures on held-out episodes: actions as for RT-1, with the instruction-swap check, and questions by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from vla_policy.presets import RT2_TABLETOP

from vla_training.frames import ALL_TASKS, FrameTable
from vla_training.language import training_sentences
from vla_training.rt2.samples import Group, RobotSource, Sample, SceneSource, rt2_bins
from vla_training.rt2.trainer import RT2Trainer
from vla_training.training_data import TaskDraw
from vla_training.validation import CLEARLY_DIFFERENT, MILLIMETRES_PER_BIN

Bins = NDArray[np.int64]
TERMINATE, GRIPPER = RT2_TABLETOP.index("terminate"), RT2_TABLETOP.index("gripper")
TRANSLATION = slice(RT2_TABLETOP.index("x"), RT2_TABLETOP.index("z") + 1)
_BATCH = 32


class HeldOut:
    """Always the same frames and questions, so that figures can be compared from one validation to the next."""

    def __init__(
        self,
        table: FrameTable,
        rows: NDArray[np.int64],
        robot: RobotSource,
        scenes: SceneSource | None,
        count: int = 384,
    ) -> None:
        rng = np.random.default_rng(5)
        rows = rng.choice(rows, min(count, len(rows)), replace=False)
        own, other = table.own_task[rows], TaskDraw(table).other(rows, rng)
        self._images = [table.images[row] for row in rows]
        self._own, self._labels = self._asked(table, robot, rows, own)
        self._other, self._swapped = self._asked(table, robot, rows, other)
        self._questions = [scenes.draw(1, rng) for _ in range(count)] if scenes is not None else []

    @staticmethod
    def _asked(
        table: FrameTable, robot: RobotSource, rows: NDArray[np.int64], tasks: NDArray[np.int64]
    ) -> tuple[list[Sample], Bins]:
        """A sample in each task's first wording and its label for each row."""
        pairs = list(zip(rows.tolist(), tasks.tolist(), strict=True))
        samples = [robot.sample(row, task, training_sentences(ALL_TASKS[task])[0]) for row, task in pairs]
        return samples, np.stack([rt2_bins(table.tokens[row, task]) for row, task in pairs])

    def __call__(self, trainer: RT2Trainer) -> dict[str, float]:
        """step_mm: mean error of a translation's component; gripper, terminate: shares that are right; swap: share of
        frames that follow another instruction on the same picture; answers: share of questions answered exactly."""
        own, swapped = self._bins(trainer, self._own), self._bins(trainer, self._other)
        error = np.abs(own - self._labels)
        figures = {
            "step_mm": float(error[:, TRANSLATION].mean() * MILLIMETRES_PER_BIN),
            "gripper": float((error[:, GRIPPER] < 64).mean()),
            "terminate": float((error[:, TERMINATE] == 0).mean()),
            "swap": _swap_share(self._labels, self._swapped, swapped),
        }
        if self._questions:
            figures["answers"] = float(np.mean(self._right(trainer)))
        return figures

    def _bins(self, trainer: RT2Trainer, samples: Sequence[Sample]) -> Bins:
        groups = [Group(image, (sample,)) for image, sample in zip(self._images, samples, strict=True)]
        ids = np.array(trainer.info.vocabulary.ids)
        bin_of: Mapping[int, int] = {int(token): index for index, token in enumerate(ids)}
        rows = []
        for start in range(0, len(groups), _BATCH):
            answers = trainer.predict(groups[start : start + _BATCH], ids)
            rows += [[bin_of[int(i)] for i in answer[: len(RT2_TABLETOP.names)]] for answer in answers]
        return np.array(rows)

    def _right(self, trainer: RT2Trainer) -> list[bool]:
        right = []
        for start in range(0, len(self._questions), _BATCH):
            groups = self._questions[start : start + _BATCH]
            answers = trainer.predict(groups)
            pairs = zip(answers, groups, strict=True)
            right += [bool(np.array_equal(answer, group.samples[0].answer)) for answer, group in pairs]
        return right


def _swap_share(own: Bins, other: Bins, predicted: Bins) -> float:
    mine, theirs, step = own[:, TRANSLATION], other[:, TRANSLATION], predicted[:, TRANSLATION]
    different = np.linalg.norm(mine - theirs, axis=1) > CLEARLY_DIFFERENT
    follows = np.linalg.norm(step - theirs, axis=1) < np.linalg.norm(step - mine, axis=1)
    return float(follows[different].mean()) if different.any() else float("nan")
