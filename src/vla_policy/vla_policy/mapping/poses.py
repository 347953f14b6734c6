# SPDX-License-Identifier: Apache-2.0
"""Absolute poses of the steps of a chunk to relative ones and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from vla_core.observation_map.observation_map import ActionFrame, Relative
from vla_core.rotation import Pose

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Motion:
    """Translations (h, 3) [m] and rotations (h) of h steps: poses, or what leads to them."""

    translation: FloatArray
    rotation: Rotation

    @classmethod
    def of_poses(cls, poses: list[Pose]) -> Self:
        """Return poses as a motion."""
        quaternions = np.array([pose.quaternion for pose in poses])
        return cls(np.array([pose.position for pose in poses]), Rotation.from_quat(quaternions))

    def pose(self, step: int) -> Pose:
        """Return one step of a motion of poses."""
        return Pose(self.translation[step], self.rotation[step].as_quat())


def absolute(relative: Motion, start: Pose, relative_to: Relative, frame: ActionFrame) -> Motion:
    """Return the poses of steps that are relative to the `start` or to the step before."""
    here = Motion.of_poses([start])
    if relative_to is Relative.OBSERVATION:
        return _moved(here, relative, frame)
    steps = []
    for k in range(len(relative.translation)):
        here = _moved(here, Motion(relative.translation[k : k + 1], relative.rotation[k : k + 1]), frame)
        steps.append(here)
    rotation = Rotation.concatenate([step.rotation for step in steps])
    return Motion(np.concatenate([step.translation for step in steps]), rotation)


def relative(poses: Motion, start: Pose, relative_to: Relative, frame: ActionFrame) -> Motion:
    """Return what leads to each pose from the `start` or from the pose before: the inverse of `absolute`."""
    origin = Motion.of_poses([start])
    if relative_to is not Relative.OBSERVATION:
        rotation = Rotation.concatenate([origin.rotation, poses.rotation[:-1]])
        origin = Motion(np.concatenate([origin.translation, poses.translation[:-1]]), rotation)
    way, back = poses.translation - origin.translation, origin.rotation.inv()
    if frame is ActionFrame.BASE:
        return Motion(way, poses.rotation * back)
    return Motion(back.apply(way), back * poses.rotation)


def _moved(start: Motion, by: Motion, frame: ActionFrame) -> Motion:
    if frame is ActionFrame.BASE:
        return Motion(start.translation + by.translation, by.rotation * start.rotation)
    return Motion(start.translation + start.rotation.apply(by.translation), start.rotation * by.rotation)
