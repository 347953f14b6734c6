# SPDX-License-Identifier: Apache-2.0
"""How long successive joint states have agreed on one posture at rest."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from vla_core.robot import RobotConfig

Array = npt.NDArray[np.float64]

_SAME = 0.02  # [rad] from the first joint state within which the arm stands
_JUMP = 0.1  # [rad] from one joint state to the next, more than a motion
_STILL = 0.1  # [rad/s] up to which a measured velocity is noise
_LEAST_COUNT = 3  # joint states, however far apart
_BEYOND_LIMITS = 0.05  # [rad] outside the position limits in which setpoints may begin


class Agreement:
    """The latest run of joint states that show one standing posture.

    A state elsewhere, in motion, or after a gap begins a new run; so two publishers that disagree never agree.
    """

    def __init__(self, config: RobotConfig, gap: float) -> None:
        """``gap`` [s] between two joint states, after which a run restarts."""
        self._joints, limits = config.joints, config.limits
        self._lower, self._upper = limits.lower - _BEYOND_LIMITS, limits.upper + _BEYOND_LIMITS
        self._gap = gap
        self.clear()

    def clear(self) -> None:
        """Forget the run."""
        self._first = self.q = np.zeros(0)
        self._since = self.latest = -math.inf
        self._count = self.jumps = 0

    def add(self, stamp: float, q: Array, qd: Array) -> None:
        """Take joints (n,) [rad], [rad/s] of ``stamp`` [s]; one that is older than the latest is dropped."""
        if stamp < self.latest:
            return
        self.jumps += bool(self.q.size and np.max(np.abs(q - self.q)) > _JUMP)
        still = bool(np.all(np.abs(qd) <= _STILL))
        goes_on = still and self._count > 0 and stamp - self.latest <= self._gap
        if not goes_on or np.max(np.abs(q - self._first)) > _SAME:
            self._first, self._since, self._count = q, stamp, 0
        self.q, self.latest = q, stamp
        self._count += still

    def interrupt(self) -> None:
        """A joint state came that no arm can have: the run restarts after it."""
        self._count = 0
        self.jumps += 1

    @property
    def duration(self) -> float:
        """Time [s] for which the run lasts; 0 for fewer than three joint states."""
        return self.latest - self._since if self._count >= _LEAST_COUNT else 0.0

    def outside(self) -> str:
        """Which joint is outside its position limits; empty: none."""
        over = np.maximum(self._lower - self.q, self.q - self._upper)
        joint = int(np.argmax(over))
        if over[joint] <= 0.0:
            return ""
        low, high = self._lower[joint] + _BEYOND_LIMITS, self._upper[joint] - _BEYOND_LIMITS
        return f"{self._joints[joint]} is at {self.q[joint]:.3f} rad, outside its limits {low:.3f} to {high:.3f}"

    def suspicion(self) -> str:
        """Why setpoints must not begin at the latest joint state without a person's word; empty: they may."""
        zeros = "all joints are at exactly 0, as from a driver that has not read the arm yet"
        return self.outside() or ("" if self.q.any() else zeros)
