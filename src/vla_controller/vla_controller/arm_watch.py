# SPDX-License-Identifier: Apache-2.0
"""Watches the arm's measured joints: are they fresh, and did the arm get somewhere it cannot have moved to?"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vla_controller.chunk import Refusal

Array = npt.NDArray[np.float64]

_JUMP = 0.1  # [rad] between two joint states that no motion explains
_SAME = 0.05  # [rad] within which a second joint state confirms the jump


class ArmWatch:
    """The latest measured joints, their age, and jumps (a simulator that was reset, an arm moved while it was off)."""

    def __init__(self, timeout: float, top_speed: Array) -> None:
        """``timeout`` [s] after which joint states are stale, ``top_speed`` (n,) [rad/s] of the joints."""
        self._timeout, self._top_speed = timeout, top_speed
        self._doubtful: Array | None = None
        self.stamp = -math.inf
        self.q: Array | None = None

    def update(self, stamp: float, q: Array) -> bool:
        """Take a joint state; True when it confirms that the arm is elsewhere than where it was followed."""
        doubtful, self._doubtful = self._doubtful, None
        reach = _JUMP + 2.0 * self._top_speed * min(1.0, max(0.0, stamp - self.stamp))
        jumped = self.q is not None and bool(np.any(np.abs(q - self.q) > reach))
        if jumped and (doubtful is None or np.max(np.abs(q - doubtful)) > _SAME):
            self._doubtful = q
            return False
        self.stamp, self.q = stamp, q
        return jumped

    def stale(self, now: float) -> Refusal | None:
        """Refusal when the latest joint state is too old at ``now`` [s]."""
        age = now - self.stamp
        if age <= self._timeout:
            return None
        return Refusal("joint_state_stale", f"the latest joint state is {age:.3f} s old; at most {self._timeout} s")

    def clock_went_back(self, now: float) -> None:
        """Forget stamps that now lie in the future."""
        self.stamp = min(self.stamp, now)
