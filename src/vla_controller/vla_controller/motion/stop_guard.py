# SPDX-License-Identifier: Apache-2.0
"""Looks ahead before a state is commanded: will the arm stop in time, clear of collisions, inside the workspace?"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from vla_controller.arm.kinematics import Kinematics
from vla_controller.arm.workspace import WORKSPACE_MARGIN, WORKSPACE_SLACK, Workspace
from vla_controller.motion.motion import JointState, Motion
from vla_controller.refusals import Refusal

Array = npt.NDArray[np.float64]


class StopGuard:
    """The invariant: the hardest stop from every state that passed ends in time, clear of collisions, in the workspace.

    A state that would break it is not commanded; the arm brakes from the one before, for which the invariant holds.
    """

    def __init__(self, kinematics: Kinematics, box: Workspace, dt: float) -> None:
        """``dt`` [s] between ticks."""
        self._kinematics, self._box, self._dt = kinematics, box, dt
        self._room = box.around(box.lower, WORKSPACE_MARGIN)  # smaller with each tick of an arm that comes back

    def start(self, q: Array) -> None:
        """The arm was found at ``q`` (n,) [rad]: outside the workspace, it may come back from there."""
        self._room = self._box.around(self._kinematics.tool_position(q), WORKSPACE_MARGIN)

    def check(self, state: JointState, stop: Motion, now: float, rest_by: float, boxed: bool = True) -> Refusal | None:
        """Why the arm, at ``state``, must not be where ``stop`` begins one tick after ``now``.

        ``stop`` is the hardest one from there. The arm rests by ``rest_by`` [s]; ``boxed``: it stays in the workspace,
        or comes no farther away from it.
        """
        ticks = 1 + math.ceil(float(stop.times[-1]) / self._dt - 1e-6)
        if not stop.begin.at_rest and now + ticks * self._dt > rest_by + 1e-6:
            return Refusal("stopped_short", "the last step could not be reached in time; stopping on the way")
        clearance = self._kinematics.clearance
        gap = "" if clearance is None else clearance.blocked(state.q, stop.q)
        if gap:
            return Refusal("collision_ahead", f"{gap} would touch; stopping before")
        if boxed:
            return self._outside(stop.q)
        self.start(stop.q[0])
        return None

    def _outside(self, ahead: Array) -> Refusal | None:
        places = np.array([self._kinematics.tool_position(row) for row in ahead])
        excess = self._room.excess(places)
        worst = int(np.argmax(excess))
        if excess[worst] <= WORKSPACE_SLACK:
            self._room = self._room.within(self._box.around(places[0], WORKSPACE_MARGIN))
            return None
        place = places[worst].round(3).tolist()
        return Refusal("workspace_ahead", f"the tool would come to {place} m, outside {self._box}; stopping before")
