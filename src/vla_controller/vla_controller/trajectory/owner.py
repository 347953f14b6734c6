# SPDX-License-Identifier: Apache-2.0
"""Planned trajectories as owners of the arm: which goal gets it, whom that keeps out, and when it is over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from vla_core.robot import RobotConfig

from vla_controller.arm.workspace import Workspace
from vla_controller.motion.motion import JointState
from vla_controller.refusals import Refusal, RefusalLog
from vla_controller.settings import ControllerSettings
from vla_controller.trajectory.goal import ErrorCode, GoalError, TrajectoryGoal, check_start, check_workspace, read_goal
from vla_controller.trajectory.run import Outcome, Tolerances, TrajectoryRun

Array = npt.NDArray[np.float64]


class TrajectoryOwner:
    """At most one trajectory has the arm; while it has, chunks are refused."""

    def __init__(
        self, config: RobotConfig, settings: ControllerSettings, tool: Callable[[Array], Array], log: RefusalLog
    ) -> None:
        """Nobody has the arm. Goals that are refused are counted in ``log``.

        ``tool`` gives the position (3,) [m] of the tool centre point for joints (n,) [rad].
        """
        self._config, self._tool, self._log = config, tool, log
        self._defaults = Tolerances(
            settings.start_tolerance, settings.path_tolerance, settings.goal_tolerance, settings.goal_time
        )
        self._run: TrajectoryRun | None = None

    @property
    def active(self) -> bool:
        """Whether a trajectory has the arm."""
        return self._run is not None

    @property
    def tolerant(self) -> bool:
        """Whether a trajectory has the arm whose goal says by itself how far the arm may be off."""
        return self._run is not None and self._run.has_tolerances

    def admit(
        self, goal: TrajectoryGoal, state: JointState | None, hindrance: Refusal | None, now: float
    ) -> TrajectoryRun:
        """Judge ``goal`` at ``now`` [s] for an arm that was commanded to be in ``state``; :meth:`take` begins it.

        ``state`` None: no joint state has come. ``hindrance``: why nothing may move, whatever the goal.

        Raises:
            GoalError: the goal is not executed; whoever owns the arm keeps it.
        """
        joints = self._config.joints
        try:
            if hindrance is not None or state is None:
                reason = hindrance.reason if hindrance else "no joint state has come yet"
                raise GoalError(ErrorCode.INVALID_GOAL, reason)
            curve = read_goal(goal, joints, self._config.limits, state.q, now)
            check_start(curve, joints, state.q, self._defaults.start)
            check_workspace(curve, Workspace.of(self._config), self._tool)
        except GoalError as error:
            self._log.add(Refusal("trajectory_refused", str(error)))
            raise
        return TrajectoryRun(curve, goal, joints, self._defaults)

    def take(self, run: TrajectoryRun) -> None:
        """``run`` has the arm from now on; what had it before was told to end."""
        self._run = run

    def cancel(self) -> None:
        """Slow the running trajectory down along its path, if there is one."""
        if self._run is not None:
            self._run.cancel(self._config.limits)

    def end(self, reason: str) -> bool:
        """Take the arm from the trajectory, if one has it; without an outcome it was stopped on the way by ``reason``.

        Returns whether one had it.
        """
        if self._run is None:
            return False
        self._run.abort(reason)
        self._run = None
        return True

    def refusal(self) -> Refusal | None:
        """Why a chunk may not have the arm."""
        if self._run is None:
            return None
        return Refusal(
            "not_owner", "a trajectory has the arm; chunks are followed again after it and a new instruction"
        )

    def judge(self, now: float, at_rest: bool, measured: Array | None) -> Outcome | None:
        """The running trajectory's outcome at ``now`` [s], once it has one.

        ``at_rest`` is said of the setpoints; ``measured`` (n,) [rad] of the arm, None before the first joint state.
        """
        if self._run is None or measured is None:
            return None
        return self._run.judge(now, at_rest, measured)
