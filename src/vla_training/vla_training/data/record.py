# SPDX-License-Identifier: Apache-2.0
"""One recorded episode: what was seen, where everything was, what was done."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from vla_policy.policy import Observation
from vla_sim.expert.expert import ExpertState, state_of
from vla_sim.task.task import Task

Array = NDArray[np.float64]


@dataclass(slots=True)
class EpisodeRecord:
    """T frames at the policy's rate. Positions in the base frame [m]; blocks in the order of scene.BLOCKS.

    Objects that are off the table lie below z = 0. `actions` are what was commanded (with any perturbation), in
    dx dy dz [m], opening (0..1), terminate (0 or 1).
    """

    robot: str
    task: Task
    text: str
    success: bool = False
    images: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 1, 1, 3), np.uint8))  # (T, H, W, 3)
    joints: Array = field(default_factory=lambda: np.zeros((0, 0)))  # (T, arm and fingers) [rad], [m]
    tcp: Array = field(default_factory=lambda: np.zeros((0, 7)))  # (T, 7) x y z, quaternion x y z w
    width: Array = field(default_factory=lambda: np.zeros(0))  # (T,)
    blocks: Array = field(default_factory=lambda: np.zeros((0, 5, 3)))  # (T, blocks, 3)
    bowl: Array = field(default_factory=lambda: np.zeros((0, 3)))  # (T, 3)
    actions: Array = field(default_factory=lambda: np.zeros((0, 5)))  # (T, 5)
    projection: Array | None = None  # (3, 4) of its camera, to pixels of `images`; None: the plain table's

    def __len__(self) -> int:
        return len(self.width)

    def expert_state(self) -> ExpertState:
        """The episode as a batch of states that the expert can label for any task."""
        return ExpertState(self.tcp[:, :3], self.width, self.blocks, self.bowl)


class Recorder:
    """Collects the frames of one episode."""

    def __init__(self, robot: str, task: Task, text: str, projection: Array | None = None) -> None:
        self._record = EpisodeRecord(robot, task, text, projection=projection)
        self._rows: list[tuple[NDArray[np.uint8], Array, Array, float, Array, Array, Array]] = []

    def add(self, observation: Observation, scene: dict[str, Array], action: Array) -> None:
        """One frame and the action (5,) commanded at it."""
        state = state_of(observation.ee_position, observation.gripper_width, scene)
        tcp = np.concatenate([observation.ee_position, observation.ee_quaternion_xyzw])
        self._rows.append(
            (
                observation.image,
                observation.joint_position,
                tcp,
                observation.gripper_width,
                state.blocks[0],
                state.bowl[0],
                action,
            )
        )

    def finish(self, success: bool) -> EpisodeRecord:
        """The whole episode."""
        record = self._record
        record.success = success
        columns = [np.stack([row[i] for row in self._rows]) for i in range(7)]
        record.images = columns[0].astype(np.uint8)
        record.joints, record.tcp, record.width, record.blocks, record.bowl, record.actions = (
            column.astype(np.float64) for column in columns[1:]
        )
        return record
