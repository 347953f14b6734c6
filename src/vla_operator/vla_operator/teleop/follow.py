# SPDX-License-Identifier: Apache-2.0
"""Poses of a hand-held device (VR controller, tracker) made targets of the tool, from where its clutch is closed."""

from __future__ import annotations

import math

import numpy as np
from vla_core.rotation import Array, Pose, conjugate, from_rotation_vector, multiply, normalise


class PoseClutch:
    """While the clutch is closed the tool moves as the device does, from where both were when it was closed.

    The device's frame has its z axis up, as the base frame; ``yaw`` [rad] is how far it is turned about it.
    """

    def __init__(self, scale: float = 1.0, yaw: float = 0.0) -> None:
        """``scale``: way of the tool for that of the device."""
        self._scale, self._turn = scale, from_rotation_vector(np.array([0.0, 0.0, yaw]))
        self._start: tuple[Pose, Pose] | None = None  # of the device, in the base frame's directions; of the tool

    def open(self) -> None:
        """Forget where the clutch was closed."""
        self._start = None

    def target(self, device: Pose, tool: Pose) -> Pose:
        """Return where the tool is to be for ``device``; ``tool``: where it is, for a clutch that was just closed."""
        device = self._turned(device)
        if self._start is None:
            self._start = (device, tool)
        first, begin = self._start
        way = self._scale * (device.position - first.position)
        turn = multiply(device.quaternion, conjugate(first.quaternion))
        return Pose(begin.position + way, normalise(multiply(turn, begin.quaternion)))

    def _turned(self, pose: Pose) -> Pose:
        turn = self._turn
        place = multiply(multiply(turn, np.append(pose.position, 0.0)), conjugate(turn))[:3]
        return Pose(place, normalise(multiply(multiply(turn, pose.quaternion), conjugate(turn))))


def is_pose(pose: Pose) -> bool:
    """Return whether a pose is finite and its quaternion of length 1, within 1 %."""
    numbers: Array = np.append(pose.position, pose.quaternion)
    return bool(np.all(np.isfinite(numbers))) and abs(math.sqrt(float(pose.quaternion @ pose.quaternion)) - 1.0) < 1e-2
