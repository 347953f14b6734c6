# SPDX-License-Identifier: Apache-2.0
"""What a joint_trajectory_controller does between two commands: a spline from the desired state to the next point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrajectoryPoint:
    """One point of a joint trajectory, in the robot's joint order."""

    time_from_start: float  # [s] from the moment the trajectory starts
    positions: Array  # (n,) [rad] or [m]
    velocities: Array  # (n,) [rad/s] or [m/s]; zero where the sender gave none


class JointSpline:
    """Follows the latest trajectory with cubic segments, starting from its own desired state.

    The ros2_control joint_trajectory_controller with `interpolate_from_desired_state: true` and velocities given.
    """

    def __init__(self, position: Array) -> None:
        self._start = 0.0
        self._points: tuple[TrajectoryPoint, ...] = ()
        self._rest(np.asarray(position, dtype=np.float64).copy())

    def _rest(self, position: Array) -> None:
        self._knots = [(-np.inf, position, np.zeros_like(position))]

    def follow(self, now: float, points: tuple[TrajectoryPoint, ...]) -> None:
        """Replace what is being followed; the first segment starts at the desired state of `now` [s]."""
        position, velocity = self.sample(now)
        self._knots = [(now, position, velocity)]
        self._knots += [(now + p.time_from_start, p.positions, p.velocities) for p in points]

    def sample(self, now: float) -> tuple[Array, Array]:
        """Desired position and velocity at `now` [s]; after the last point the position is held at zero velocity."""
        while len(self._knots) > 1 and now >= self._knots[1][0]:
            self._knots.pop(0)
        start, p0, v0 = self._knots[0]
        if len(self._knots) == 1:
            return p0, (v0 if now <= start else np.zeros_like(p0))
        end, p1, v1 = self._knots[1]
        span = max(end - start, 1e-6)
        s = (now - start) / span
        a = 2 * (p0 - p1) + span * (v0 + v1)
        b = -3 * (p0 - p1) - span * (2 * v0 + v1)
        return ((a * s + b) * s + span * v0) * s + p0, ((3 * a * s + 2 * b) * s) / span + v0
