# SPDX-License-Identifier: Apache-2.0
"""Looks ahead before a state is commanded: will the arm stop in time, and without touching itself or the table?"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vla_controller.arm.collision import Clearance
from vla_controller.motion.limiter import JointState, SetpointLimiter
from vla_controller.refusals import Refusal

Array = npt.NDArray[np.float64]


class StopGuard:
    """The invariant: the hardest stop from every state that passed ends in time and clear of collisions.

    A state that would break it is not commanded; the arm brakes from the one before, for which the invariant holds.
    """

    def __init__(self, limiter: SetpointLimiter, clearance: Clearance | None, dt: float) -> None:
        """``clearance`` None: without a collision model. ``dt`` [s] between ticks."""
        self._limiter, self._clearance, self._dt = limiter, clearance, dt

    def check(self, state: JointState, after: JointState, now: float, rest_by: float) -> Refusal | None:
        """Why the arm, at ``state``, must not be in ``after`` one tick after ``now``; it rests by ``rest_by`` [s]."""
        if self._clearance is None and rest_by == math.inf:
            return None
        duration, stop = self._limiter.stop(after)
        ticks = 1 + math.ceil(duration / self._dt - 1e-6)
        if now + ticks * self._dt > rest_by + 1e-6 and not after.at_rest:
            return Refusal("stopped_short", "the last step could not be reached in time; stopping on the way")
        if self._clearance is None:
            return None
        gap = self._clearance.blocked(state.q, np.vstack((after.q, stop)))
        if gap:
            return Refusal("collision_ahead", f"{gap} would touch; stopping before")
        return None
