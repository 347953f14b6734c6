# SPDX-License-Identifier: Apache-2.0
"""Frames that do not move against each other, and chunks taken from one into another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from vla_core.action import ActionChunk, ActionStep
from vla_core.rotation import Array, Pose, conjugate, multiply, normalise

_UNIT = 1e-2  # of a quaternion's length around 1


class FrameTree:
    """Poses of frames in their parent frames, as on `/tf_static`."""

    def __init__(self) -> None:
        """No frame is known."""
        self._parents: dict[str, tuple[str, Pose]] = {}

    def set(self, parent: str, child: str, pose: Pose) -> bool:
        """Set the pose of `child` in `parent`; return False, and change nothing, where it is invalid."""
        length = float(np.sqrt(pose.quaternion @ pose.quaternion))
        if parent == child or not np.all(np.isfinite(pose.position)) or not abs(length - 1.0) < _UNIT:
            return False
        self._parents[child] = (parent, Pose(pose.position, normalise(pose.quaternion)))
        return True

    def pose(self, frame: str, base: str) -> Pose | None:
        """Return the pose of `frame` in `base`; None where no chain of transforms joins them."""
        ours, theirs = self._ancestors(frame), self._ancestors(base)
        common = next((name for name in ours if name in theirs), None)
        return None if common is None else combined(inverse(theirs[common]), ours[common])

    def _ancestors(self, frame: str) -> dict[str, Pose]:
        """Return the pose of `frame` in itself and in each frame above it, nearest first."""
        found = {frame: Pose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))}
        name = frame
        while name in self._parents:
            parent, pose = self._parents[name]
            if parent in found:  # a circle
                break
            found[parent] = combined(pose, found[name])
            name = parent
        return found


def rotated(quaternion: Array, vector: Array) -> Array:
    """Return `vector` (3,) rotated by a unit quaternion."""
    return multiply(multiply(quaternion, np.append(vector, 0.0)), conjugate(quaternion))[:3]


def combined(outer: Pose, inner: Pose) -> Pose:
    """Return `inner`, given in the frame whose pose is `outer`, in the frame that `outer` is given in."""
    position = outer.position + rotated(outer.quaternion, inner.position)
    return Pose(position, multiply(outer.quaternion, inner.quaternion))


def inverse(pose: Pose) -> Pose:
    """Return the pose of the outer frame in the inner one."""
    back = conjugate(pose.quaternion)
    return Pose(-rotated(back, pose.position), back)


def chunk_in(chunk: ActionChunk, frame: str, pose: Pose) -> ActionChunk:
    """Return an EE_* chunk in `frame`, in which the chunk's own frame has `pose`. Values are not judged."""

    def step(given: ActionStep) -> ActionStep:
        return replace(
            given,
            translation=rotated(pose.quaternion, given.translation),
            rotation_vector=rotated(pose.quaternion, given.rotation_vector),
            pose=None if given.pose is None else combined(pose, given.pose),
        )

    observed = None if chunk.observed_pose is None else combined(pose, chunk.observed_pose)
    return replace(chunk, frame_id=frame, observed_pose=observed, steps=tuple(step(given) for given in chunk.steps))
