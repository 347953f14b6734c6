# SPDX-License-Identifier: Apache-2.0
"""Figures on held-out episodes: actions as for RT-1, with the instruction-swap check, and questions by kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from vla_policy.action.presets import RT2_TABLETOP

from vla_training.data.frames import ALL_TASKS, FrameTable
from vla_training.data.language import training_sentences
from vla_training.rt1.training_data import TaskDraw
from vla_training.rt2.samples.labels import TRANSLATION, ActionLabels
from vla_training.rt2.samples.samples import Group, RobotSource, Sample, SceneSource
from vla_training.rt2.trainer import RT2Trainer

Actions = NDArray[np.float64]
TERMINATE, GRIPPER = RT2_TABLETOP.index("terminate"), RT2_TABLETOP.index("gripper")
CLEARLY_DIFFERENT = 0.02  # [m] between two steps
_BATCH = 32


class HeldOut:
    """Always the same frames and questions, so that figures can be compared from one validation to the next."""

    def __init__(
        self,
        table: FrameTable,
        rows: NDArray[np.int64],
        robot: RobotSource,
        labels: ActionLabels,
        scenes: SceneSource,
        count: int = 384,
    ) -> None:
        rng = np.random.default_rng(5)
        rows = rng.choice(rows, min(count, len(rows)), replace=False)
        own, other = table.own_task[rows], TaskDraw(table).other(rows, rng)
        self._labels = labels
        self._images = [table.images[row] for row in rows]
        self._own, self._wanted = self._asked(table, robot, rows, own)
        self._other, self._swapped = self._asked(table, robot, rows, other)
        self._questions = [scenes.draw(1, rng) for _ in range(count)]

    def _asked(
        self, table: FrameTable, robot: RobotSource, rows: NDArray[np.int64], tasks: NDArray[np.int64]
    ) -> tuple[list[Sample], Actions]:
        """A sample in each task's first wording and its action (n, 8) for each row."""
        pairs = list(zip(rows.tolist(), tasks.tolist(), strict=True))
        samples = [robot.sample(row, task, training_sentences(ALL_TASKS[task])[0]) for row, task in pairs]
        return samples, self._labels.values(self._labels.bins(table.tokens[rows, tasks]))

    def __call__(self, trainer: RT2Trainer) -> dict[str, float]:
        """step_mm: mean error of a translation's component; gripper, terminate: shares that are right; swap: share of
        frames that follow another instruction on the same picture; answers: share of questions answered exactly."""
        own, swapped = self._actions(trainer, self._own), self._actions(trainer, self._other)
        error = np.abs(own - self._wanted)
        return {
            "step_mm": float(error[:, TRANSLATION].mean() * 1000),
            "gripper": float((error[:, GRIPPER] < 0.25).mean()),
            "terminate": float((error[:, TERMINATE] == 0).mean()),
            "swap": _swap_share(self._wanted, self._swapped, swapped),
            "answers": float(np.mean(self._right(trainer))),
        }

    def _actions(self, trainer: RT2Trainer, samples: Sequence[Sample]) -> Actions:
        groups = [Group(image, (sample,)) for image, sample in zip(self._images, samples, strict=True)]
        rows = []
        for start in range(0, len(groups), _BATCH):
            answers = trainer.predict(groups[start : start + _BATCH])
            rows += [trainer.info.vocabulary.decode(answer[: len(RT2_TABLETOP.names)]) for answer in answers]
        return self._labels.values(np.array(rows))

    def _right(self, trainer: RT2Trainer) -> list[bool]:
        right = []
        for start in range(0, len(self._questions), _BATCH):
            groups = self._questions[start : start + _BATCH]
            answers = trainer.predict(groups)
            pairs = zip(answers, groups, strict=True)
            right += [bool(np.array_equal(answer, group.samples[0].answer)) for answer, group in pairs]
        return right


def _swap_share(own: Actions, other: Actions, predicted: Actions) -> float:
    mine, theirs, step = own[:, TRANSLATION], other[:, TRANSLATION], predicted[:, TRANSLATION]
    different = np.linalg.norm(mine - theirs, axis=1) > CLEARLY_DIFFERENT
    follows = np.linalg.norm(step - theirs, axis=1) < np.linalg.norm(step - mine, axis=1)
    return float(follows[different].mean()) if different.any() else float("nan")
