# SPDX-License-Identifier: Apache-2.0
"""Planned joint trajectories: where one wants the joints at any time, and how it is stopped on its path.

The same meaning as in ros2_control's joint_trajectory_controller: positions alone are joined linearly, with velocities
by cubics, with accelerations by quintics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from vla_core.robot import JointLimits

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A trajectory in the controller's joint order, from its own time 0 on."""

    times: Array  # (m,) [s], strictly increasing from 0, m >= 2
    positions: Array  # (m, n) [rad]
    velocities: Array | None  # (m, n) [rad/s]
    accelerations: Array | None  # (m, n) [rad/s^2]

    @property
    def duration(self) -> float:
        """[s] from first to last point."""
        return float(self.times[-1])

    def index(self, time: float) -> int:
        """Point being headed for at ``time`` [s]."""
        return int(np.clip(np.searchsorted(self.times, time, side="right"), 1, len(self.times) - 1))

    def sample(self, time: float) -> Array:
        """Joints (n,) [rad] at ``time`` [s]; rests before the first and after the last point."""
        k = self.index(time)
        length = float(self.times[k] - self.times[k - 1])
        s = min(1.0, max(0.0, (time - float(self.times[k - 1])) / length))
        place: Array = self._coefficients(k, length).T @ (s ** np.arange(6))
        return place

    def _coefficients(self, k: int, length: float) -> Array:
        """(6, n) of the polynomial in 0 to 1 that leads to point ``k`` in ``length`` [s]."""
        a, b = self.positions[k - 1], self.positions[k]
        zero = np.zeros_like(a)
        if self.velocities is None:
            return np.stack((a, b - a, zero, zero, zero, zero))
        va, vb = length * self.velocities[k - 1], length * self.velocities[k]
        if self.accelerations is None:
            return np.stack((a, va, 3.0 * (b - a) - 2.0 * va - vb, 2.0 * (a - b) + va + vb, zero, zero))
        aa, ab = 0.5 * length**2 * self.accelerations[k - 1], 0.5 * length**2 * self.accelerations[k]
        # d0, d1, d2: what value, slope and half the curvature at the end still lack
        d0, d1, d2 = b - a - va - aa, vb - va - 2.0 * aa, ab - aa
        return np.stack(
            (a, va, aa, 10.0 * d0 - 4.0 * d1 + d2, -15.0 * d0 + 7.0 * d1 - 2.0 * d2, 6.0 * d0 - 3.0 * d1 + d2)
        )


class Curve:
    """A trajectory laid into time. Stopping slows time itself down, so that the arm stops without leaving the path."""

    def __init__(self, trajectory: Trajectory, start: float) -> None:
        """``start`` [s] is when the trajectory's time 0 is."""
        self.trajectory, self._start = trajectory, start
        self._sampled = start
        self._stop_at, self._stop_time = math.inf, 0.0

    @property
    def end(self) -> float:
        """When it is over [s]."""
        return min(self._start + self.trajectory.duration, self._stop_at + self._stop_time)

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop on the way."""
        return self._stop_at < math.inf

    @property
    def last(self) -> Array:
        """Joints (n,) [rad] at the end."""
        return self.at(self.end)

    def own_time(self, time: float) -> float:
        """The trajectory's own time [s] at ``time``: behind the clock once it was told to stop."""
        if time <= self._stop_at:
            return time - self._start
        s = min(1.0, (time - self._stop_at) / self._stop_time)
        return self._stop_at - self._start + self._stop_time * (s - s**3 + 0.5 * s**4)

    def at(self, time: float) -> Array:
        """Joints (n,) [rad] at ``time`` [s]."""
        return self.trajectory.sample(self.own_time(time))

    def sample(self, time: float) -> Array:
        """Same as :meth:`at`, and remembers how far the arm has been led."""
        self._sampled = max(self._sampled, time)
        return self.at(time)

    def stop(self, limits: JointLimits) -> None:
        """From where the arm has been led, slow down along the path as fast as the accelerations allow."""
        if self.stopped or self._sampled >= self.end:
            return
        step = 1e-3
        speed = np.abs(self.at(self._sampled + step) - self.at(self._sampled - step)) / (2.0 * step)
        self._stop_time = max(0.05, 1.5 * float(np.max(speed / (0.8 * limits.acceleration))))
        self._stop_at = self._sampled
