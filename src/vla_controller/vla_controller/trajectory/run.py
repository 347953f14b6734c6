# SPDX-License-Identifier: Apache-2.0
"""One trajectory on its way: is the arm on it, has it arrived, was it cancelled?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from vla_core.robot import JointLimits

from vla_controller.trajectory.curve import Curve
from vla_controller.trajectory.goal import ErrorCode, TrajectoryGoal

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Defaults where a goal names none."""

    start: float  # [rad] between setpoint and first point
    path: float  # [rad] between planned and measured joints on the way
    goal: float  # [rad] likewise at the end
    goal_time: float  # [s] after the planned end to come within ``goal``


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trajectory ended."""

    code: ErrorCode
    text: str
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a trajectory is; joints (n,) in the controller's order."""

    stamp: float  # [s]
    elapsed: float  # [s] of the trajectory's own time
    index: int  # point being headed for
    desired: Array  # [rad]
    actual: Array  # [rad] measured


class TrajectoryRun:
    """Follows one accepted trajectory to its outcome. Ends once: the first outcome stays."""

    def __init__(self, curve: Curve, goal: TrajectoryGoal, joints: tuple[str, ...], defaults: Tolerances) -> None:
        """``goal`` gives the tolerances, ``curve`` is what was read from it."""
        self.curve, self._joints = curve, joints
        self.has_tolerances = bool(goal.path_tolerance)
        self._path = _tolerance(goal.path_tolerance, joints, defaults.path)
        self._goal = _tolerance(goal.goal_tolerance, joints, defaults.goal)
        self._goal_time = goal.goal_time_tolerance or defaults.goal_time
        self.outcome: Outcome | None = None
        self.progress: Progress | None = None

    def cancel(self, limits: JointLimits) -> None:
        """Slow down along the path; the outcome follows at rest."""
        self.curve.stop(limits)

    def abort(self, reason: str) -> None:
        """End now, because something else stops the arm."""
        self._end(ErrorCode.PATH_TOLERANCE_VIOLATED, f"stopped on the way: {reason}")

    def judge(self, now: float, at_rest: bool, measured: Array) -> Outcome | None:
        """The outcome, once there is one. ``at_rest`` is said of the setpoints, ``measured`` (n,) [rad] of the arm."""
        if self.outcome is not None:
            return self.outcome
        curve = self.curve
        elapsed = curve.own_time(now)
        desired = curve.at(now)
        self.progress = Progress(now, elapsed, curve.trajectory.index(elapsed), desired, measured)
        off = np.abs(desired - measured)
        if now < curve.end:
            self._check(off, self._path, ErrorCode.PATH_TOLERANCE_VIOLATED, "on the way")
        elif curve.stopped and at_rest:
            self._end(ErrorCode.SUCCESSFUL, "cancelled: stopped on the path", cancelled=True)
        elif at_rest and np.all(off <= self._goal):
            self._end(ErrorCode.SUCCESSFUL, "arrived")
        elif now > curve.end + self._goal_time:
            self._check(off, self._goal, ErrorCode.GOAL_TOLERANCE_VIOLATED, f"{self._goal_time:g} s after the end")
            if self.outcome is None:
                self._end(ErrorCode.GOAL_TOLERANCE_VIOLATED, f"not at rest {self._goal_time:g} s after the end")
        return self.outcome

    def _check(self, off: Array, most: Array, code: ErrorCode, when: str) -> None:
        excess = off - most
        worst = int(np.argmax(excess))
        if excess[worst] > 0.0:
            name = self._joints[worst]
            self._end(code, f"{name} is {off[worst]:.4f} rad off {when}; at most {most[worst]:g} rad")

    def _end(self, code: ErrorCode, text: str, cancelled: bool = False) -> None:
        if self.outcome is None:
            self.outcome = Outcome(code, text, cancelled)


def _tolerance(given: dict[str, float], joints: tuple[str, ...], default: float) -> Array:
    """(n,) [rad] by joint: 0 means the default, below 0 none."""
    values = [given.get(name, 0.0) or default for name in joints]
    return np.array([np.inf if value < 0.0 else value for value in values])
