# SPDX-License-Identifier: Apache-2.0
"""Frames of many episodes as one table, labelled by the expert for every task that the table allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vla_policy.action.presets import RT1_TABLETOP
from vla_policy.action.tokenizer import ActionTokenizer
from vla_sim.expert.expert import expert_action
from vla_sim.task.task import SIDES, Task
from vla_sim.world.robots import get_robot
from vla_sim.world.scene import BLOCKS, BOWL

from vla_training.data.projection import projection_matrix
from vla_training.data.record import EpisodeRecord

ALL_TASKS: tuple[Task, ...] = (
    *(Task("pick", b) for b in BLOCKS),
    *(Task("place", b, BOWL) for b in BLOCKS),
    *(Task("near", a, b) for a in BLOCKS for b in BLOCKS if a != b),
    *(Task("push", b, side) for b in BLOCKS for side in SIDES),
)
_TRANSLATION = [RT1_TABLETOP.index(name) for name in "xyz"]
_MODE = RT1_TABLETOP.index("mode")
_TERMINATE, _ARM = ((RT1_TABLETOP.dimensions[_MODE].categories or ()).index(name) for name in ("terminate", "arm"))
PROPRIO: tuple[str, ...] = ("ee_x", "ee_y", "ee_z", "gripper_width")


@dataclass(frozen=True, slots=True)
class FrameTable:
    """N frames; T = len(ALL_TASKS). Positions in [m], base frame."""

    images: NDArray[np.uint8]  # (N, H, W, 3)
    proprio: NDArray[np.float32]  # (N, len(PROPRIO))
    episode: NDArray[np.int64]  # (N,) which episode, counted from 0
    own_task: NDArray[np.int64]  # (N,) index into ALL_TASKS of the episode's own task
    first: NDArray[np.bool_]  # (N,) first frame of its episode
    allowed: NDArray[np.bool_]  # (N, T) the task's object and target are on the table
    tokens: NDArray[np.uint8]  # (N, T, 11) the expert's action
    goals: NDArray[np.float32]  # (N, T, 6) object and target position
    cameras: NDArray[np.float64]  # (episodes, 3, 4) projection to pixels

    def __len__(self) -> int:
        return len(self.episode)


def build_table(records: Sequence[EpisodeRecord]) -> FrameTable:
    """Concatenate and label. All records must be of one robot, with pictures of one size."""
    robots = {record.robot for record in records}
    if len(robots) != 1:
        raise ValueError(f"records of one robot are needed, got {sorted(robots)}")
    parts = [_label(record) for record in records]
    lengths = [len(record) for record in records]
    height, width = records[0].images.shape[1:3]
    plain = projection_matrix(records[0].robot, (height, width))
    return FrameTable(
        images=np.concatenate([record.images for record in records]),
        proprio=np.concatenate([np.column_stack([r.tcp[:, :3], r.width]) for r in records]).astype(np.float32),
        episode=np.repeat(np.arange(len(records)), lengths),
        own_task=np.repeat([ALL_TASKS.index(record.task) for record in records], lengths),
        first=np.concatenate([np.arange(n) == 0 for n in lengths]),
        allowed=np.concatenate([part[0] for part in parts]),
        tokens=np.concatenate([part[1] for part in parts]),
        goals=np.concatenate([part[2] for part in parts]),
        cameras=np.stack([plain if record.projection is None else record.projection for record in records]),
    )


def _label(record: EpisodeRecord) -> tuple[NDArray[np.bool_], NDArray[np.uint8], NDArray[np.float32]]:
    robot, state, frames = get_robot(record.robot), record.expert_state(), len(record)
    tokenizer = ActionTokenizer(RT1_TABLETOP)
    allowed = np.zeros((frames, len(ALL_TASKS)), dtype=bool)
    tokens = np.zeros((frames, len(ALL_TASKS), len(RT1_TABLETOP.names)), dtype=np.uint8)
    goals = np.zeros((frames, len(ALL_TASKS), 6), dtype=np.float32)
    for t, task in enumerate(ALL_TASKS):
        obj, target = _positions(record, task)
        allowed[:, t] = (obj[:, 2] > -0.05) & (target[:, 2] > -0.05)
        action = expert_action(state, task, robot)
        vectors = np.zeros((frames, len(RT1_TABLETOP.names)))
        vectors[:, _TRANSLATION] = action.translation
        vectors[:, RT1_TABLETOP.index("gripper")] = action.opening
        vectors[:, _MODE] = np.where(action.done, _TERMINATE, _ARM)
        tokens[:, t] = tokenizer.encode(vectors).tokens
        goals[:, t] = np.concatenate([obj, target], axis=1)
    return allowed, tokens, goals


def _positions(record: EpisodeRecord, task: Task) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    obj = record.blocks[:, BLOCKS.index(task.object)]
    if task.target == BOWL:
        return obj, record.bowl
    if task.target in BLOCKS:
        return obj, record.blocks[:, BLOCKS.index(task.target)]
    return obj, obj


def split_by_episode(episode: NDArray[np.int64], share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows to train on and rows held out, by whole episodes; of up to three episodes none is held out.

    episode (N,): of each row, counted from 0.
    """
    enough = int(episode.max()) > 2
    held_out = (episode % max(2, round(1 / share)) == 0) & enough
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
