# SPDX-License-Identifier: Apache-2.0
"""What a joint_trajectory_controller does with commands: splines between their points, and from where it is to them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrajectoryPoint:
    """One point of a joint trajectory, in the robot's joint order."""

    time_from_start: float  # [s] from the moment the trajectory arrives; negative: it began before
    positions: Array  # (n,) [rad] or [m]
    velocities: Array  # (n,) [rad/s] or [m/s]; zero where the sender gave none
    accelerations: Array | None = None  # (n,) [rad/s^2] or [m/s^2], where the sender gave any


@dataclass(frozen=True, slots=True)
class _Knot:
    time: float  # [s]
    q: Array
    qd: Array
    qdd: Array | None


class JointSpline:
    """Follows the latest trajectory by cubics, or by quintics between points that have accelerations.

    The ros2_control joint_trajectory_controller with `interpolate_from_desired_state: true` and velocities given: a
    trajectory that begins in the future is joined from the desired state, one that began before is followed at once.
    """

    def __init__(self, position: Array) -> None:
        self._rest(np.asarray(position, dtype=np.float64).copy())

    def _rest(self, position: Array) -> None:
        self._set([_Knot(-np.inf, position, np.zeros_like(position), np.zeros_like(position))])

    def _set(self, knots: list[_Knot]) -> None:
        self._knots = knots
        self._times = [knot.time for knot in knots]

    @property
    def end(self) -> float:
        """Time of the last point [s]; minus infinity at rest."""
        return self._times[-1]

    def follow(self, now: float, points: tuple[TrajectoryPoint, ...]) -> None:
        """Replace what is being followed at `now` [s]; no points: stop at the desired state."""
        knots = [_Knot(now + p.time_from_start, p.positions, p.velocities, p.accelerations) for p in points]
        if not knots or knots[0].time > now:
            knots.insert(0, _Knot(now, *self._state(now)))
        self._set(knots)

    def sample(self, now: float) -> tuple[Array, Array]:
        """Desired position and velocity at `now` [s]; after the last point the position is held at zero velocity."""
        position, velocity, _ = self._state(now)
        return position, velocity

    def _state(self, now: float) -> tuple[Array, Array, Array]:
        i = max(0, bisect_right(self._times, now) - 1)
        first = self._knots[i]
        zero = np.zeros_like(first.q)
        if i + 1 == len(self._knots):
            return first.q, (first.qd if now <= first.time else zero), zero
        last = self._knots[i + 1]
        span = max(last.time - first.time, 1e-6)
        return _between(first, last, span, (now - first.time) / span)


def _between(first: _Knot, last: _Knot, span: float, s: float) -> tuple[Array, Array, Array]:
    """Position, velocity and acceleration at the share `s` of the `span` [s] between two knots."""
    v0, v1, way = span * first.qd, span * last.qd, last.q - first.q
    if first.qdd is None or last.qdd is None:
        c = [first.q, v0, 3 * way - 2 * v0 - v1, v0 + v1 - 2 * way]
    else:
        a0, a1 = span**2 * first.qdd, span**2 * last.qdd
        c = [
            first.q,
            v0,
            0.5 * a0,
            10 * way - 6 * v0 - 4 * v1 - 1.5 * a0 + 0.5 * a1,
            -15 * way + 8 * v0 + 7 * v1 + 1.5 * a0 - a1,
            6 * way - 3 * (v0 + v1) - 0.5 * (a0 - a1),
        ]
    position, velocity, acceleration = (np.zeros_like(first.q) for _ in range(3))
    for k, row in enumerate(c):
        position = position + row * s**k
        velocity = velocity + k * row * s ** max(0, k - 1) / span
        acceleration = acceleration + k * (k - 1) * row * s ** max(0, k - 2) / span**2
    return position, velocity, acceleration
