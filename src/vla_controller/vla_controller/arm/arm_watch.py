# SPDX-License-Identifier: Apache-2.0
"""Watches the arm's measured joints: are they fresh and possible, does the arm follow, did it jump elsewhere?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from vla_core.robot import JointLimits

from vla_controller.motion.motion import JointState
from vla_controller.refusals import Refusal

Array = npt.NDArray[np.float64]

_JUMP = 0.1  # [rad] between two joint states that no motion explains
_SAME = 0.05  # [rad] within which a second joint state confirms the jump
_RESYNC_DISTANCE = 0.02  # [rad] between setpoint and arm when its joint states come back
_BEYOND = 1.0  # [rad] outside the limits up to which an arm may be found; farther is a broken sensor, or degrees
_LAG = 0.6  # [s] by which a moving arm, and what is known of it, may be late
_EASE = 4.0  # [rad/s^2] at which that allowance ends after a motion


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a joint state means for the setpoints."""

    refusal: Refusal | None = None
    restart: str = ""  # why the setpoints begin anew where the arm is; empty: they go on


class ArmWatch:
    """The latest measured joints, their age, jumps (a simulator that was reset, an arm moved while it was off), and
    whether the arm follows (it may be blocked, or guided by hand): else setpoints would run away from it, and it would
    leap after them once it can.
    """

    def __init__(self, timeout: float, tolerance: float, limits: JointLimits) -> None:
        """``timeout`` [s] after which joint states are stale; ``tolerance`` [rad] between setpoint and arm at rest."""
        self._timeout, self._tolerance, self._top_speed = timeout, tolerance, limits.velocity
        self._low, self._high = limits.lower - _BEYOND, limits.upper + _BEYOND
        self._pace = np.zeros_like(limits.velocity)  # (n,) [rad/s] of the setpoints of late
        self._doubtful: Array | None = None
        self._silent = False
        self.stamp = -math.inf
        self.q: Array | None = None

    def update(self, stamp: float, q: Array, qd: Array, setpoint: JointState | None, led: bool = False) -> Sighting:
        """Take a joint state (n,) [rad], [rad/s] of ``stamp`` [s]; ``setpoint`` was sent last, None: nothing yet.

        ``led``: somebody else judges whether the arm follows.
        """
        shape = self._top_speed.shape
        if q.shape != shape or qd.shape != shape or not (np.all(np.isfinite(q)) and np.all(np.isfinite(qd))):
            text = f"joint state {q.tolist()}, {qd.tolist()}; {shape[0]} finite numbers each"
            return Sighting(Refusal("non_finite", text))
        if np.any((q < self._low) | (q > self._high)):
            text = f"joint state {q.round(3).tolist()} rad; at most {_BEYOND} rad outside the limits is believed"
            return Sighting(Refusal("joint_range", text))
        passed = stamp - self.stamp
        elsewhere = self._jumped(stamp, q)
        if setpoint is None:
            return Sighting(restart="holding where the arm was found")
        off = float(np.max(np.abs(q - setpoint.q)))
        if elsewhere:
            refusal = Refusal("joint_jump", f"the arm was {off:.2f} rad from its setpoint")
            return Sighting(refusal, "the arm is suddenly elsewhere: holding where it was found")
        strays = self._strays(np.abs(q - setpoint.q), np.abs(setpoint.qd), passed)
        if self._doubtful is not None:
            return Sighting()
        if self._silent and setpoint.at_rest and off > _RESYNC_DISTANCE:
            return Sighting(restart="holding where the arm was found again")
        if strays and not led:
            refusal = Refusal("not_following", f"the arm is {off:.2f} rad from its setpoint")
            return Sighting(refusal, "the arm does not follow: holding where it is")
        return Sighting()

    def _strays(self, off: Array, speed: Array, passed: float) -> bool:
        """Whether an arm ``off`` (n,) [rad] its setpoints is farther away than their ``speed`` (n,) explains."""
        self._pace = np.maximum(speed, self._pace - _EASE * max(0.0, passed))
        return bool(np.any(off > self._tolerance + _LAG * self._pace))

    def _jumped(self, stamp: float, q: Array) -> bool:
        """Whether a joint state confirms that the arm is elsewhere than where it was followed."""
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

    def fell_silent(self, now: float) -> Refusal | None:
        """The refusal of :meth:`stale`, once each time that joint states become too old."""
        refusal, before = self.stale(now), self._silent
        self._silent = refusal is not None
        return None if before else refusal

    def clock_went_back(self, now: float) -> None:
        """Forget stamps that now lie in the future."""
        self.stamp = min(self.stamp, now)
