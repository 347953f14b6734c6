# SPDX-License-Identifier: Apache-2.0
"""The action /vla/execute_goal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from vla_core.ros.time import duration_from_seconds, ns_from_msg, seconds_from_msg

from vla_msgs.action import ExecuteGoal
from vla_msgs.msg import GoalStatus, GoalStep
from vla_planner.report import GoalCode

TICK_S, FEEDBACK_TICKS = 0.1, 5


@dataclass(frozen=True, slots=True)
class GoalHooks:
    """What the action needs of the node. begin: takes text and timeout [s], returns the goal's id."""

    begin: Callable[[str, float], str]
    end: Callable[[GoalCode, str], None]
    status: Callable[[], GoalStatus]
    steps: Callable[[], list[GoalStep]]


class GoalAction:
    """Serves the action. A new goal replaces the current one."""

    def __init__(self, node: Node, name: str, hooks: GoalHooks) -> None:
        self._hooks = hooks
        self._tick = Future()
        self._timer = node.create_timer(TICK_S, self._on_tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._server = ActionServer(
            node, ExecuteGoal, name, self._execute, cancel_callback=lambda goal: CancelResponse.ACCEPT
        )

    def _on_tick(self) -> None:
        tick, self._tick = self._tick, Future()
        tick.set_result(None)

    async def _execute(self, goal: ServerGoalHandle) -> ExecuteGoal.Result:
        started = time.monotonic()
        if ns_from_msg(goal.request.timeout) < 0:
            text = f"timeout is {seconds_from_msg(goal.request.timeout):g} s; valid is 0 or a positive duration"
            return _end(goal, GoalCode.REJECTED, text, started)
        mine = self._hooks.begin(goal.request.text, seconds_from_msg(goal.request.timeout))
        ticks = 0
        while True:
            status = self._hooks.status()
            if status.goal_id != mine:
                return _end(goal, GoalCode.SUPERSEDED, "a newer goal took over", started)
            if status.state == GoalStatus.STATE_FINISHED:
                return _end(goal, GoalCode(status.result), status.result_text, started, status)
            if goal.is_cancel_requested:
                self._hooks.end(GoalCode.CANCELLED, "cancelled by the client")
                continue
            if ticks % FEEDBACK_TICKS == 0:
                goal.publish_feedback(ExecuteGoal.Feedback(status=status))
            ticks += 1
            await self._tick


def _end(
    goal: ServerGoalHandle, code: GoalCode, text: str, started: float, status: GoalStatus | None = None
) -> ExecuteGoal.Result:
    if code is GoalCode.FINISHED:
        goal.succeed()
    elif code is GoalCode.CANCELLED and goal.is_cancel_requested:
        goal.canceled()
    else:
        goal.abort()
    result = ExecuteGoal.Result(code=int(code), text=text)
    result.elapsed = duration_from_seconds(time.monotonic() - started)
    if status is not None:
        result.steps, result.replans = [s for s in status.steps if s.state != GoalStep.STATE_PLANNED], status.replans
    return result
