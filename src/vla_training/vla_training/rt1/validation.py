# SPDX-License-Identifier: Apache-2.0
"""Figures on held-out episodes, with the instruction-swap check on the same pictures."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vla_training.data.frames import FrameTable
from vla_training.rt1.settings import GRIPPER, MODE, TRANSLATION
from vla_training.rt1.training_data import TaskDraw

Rows = NDArray[np.int64]
Predict = Callable[[Rows, Rows], tuple[NDArray[np.int64], NDArray[np.float32]]]  # rows, tasks -> tokens, goals
MILLIMETRES_PER_BIN = 120.0 / 255
CLEARLY_DIFFERENT = 40  # distance of two steps, in bins


def validate(table: FrameTable, held_out: Rows, draw: TaskDraw, predict: Predict, count: int) -> dict[str, float]:
    """Errors on at most `count` of the `held_out` rows, which are always the same ones.

    step_mm: mean error of a translation's component; gripper, mode: shares that are right; goal_mm: error of the
    auxiliary head; first_goal_mm: the same on first frames alone; swap: see `swap_share`.
    """
    rng = np.random.default_rng(5)
    rows = rng.choice(held_out, min(count, len(held_out)), replace=False)
    own, other = table.own_task[rows], draw.other(rows, rng)
    tokens, goals = predict(rows, own)
    labels = table.tokens[rows, own].astype(np.int64)
    swapped, _ = predict(rows, other)
    first = np.flatnonzero(table.first & np.isin(np.arange(len(table)), held_out))
    _, first_goals = predict(first, table.own_task[first])
    return {
        "step_mm": float(np.abs(tokens - labels)[:, TRANSLATION].mean() * MILLIMETRES_PER_BIN),
        "gripper": float((np.abs(tokens - labels)[:, GRIPPER] < 64).mean()),
        "mode": float((tokens == labels)[:, MODE].mean()),
        "goal_mm": _distance(goals, table.goals[rows, own]),
        "first_goal_mm": _distance(first_goals, table.goals[first, table.own_task[first]]),
        "swap": swap_share(table.tokens[rows, own], table.tokens[rows, other], swapped),
    }


def swap_share(own: NDArray[np.uint8], other: NDArray[np.uint8], swapped: NDArray[np.int64]) -> float:
    """Share of frames whose step, given another instruction, fits that one better than the episode's own.

    Labels `own` and `other` (n, 11) and predictions `swapped` (n, 11). Only frames for which the two instructions want
    clearly different steps count; nan if there are none.
    """
    mine = own[:, TRANSLATION].astype(np.int64)
    theirs = other[:, TRANSLATION].astype(np.int64)
    different = np.linalg.norm(mine - theirs, axis=1) > CLEARLY_DIFFERENT
    step = swapped[:, TRANSLATION]
    follows = np.linalg.norm(step - theirs, axis=1) < np.linalg.norm(step - mine, axis=1)
    return float(follows[different].mean()) if different.any() else math.nan


def _distance(predicted: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(predicted[:, :3] - wanted[:, :3], axis=1).mean() * 1000)
