# SPDX-License-Identifier: Apache-2.0
"""The action /vla/execute_instruction: give an instruction and follow it to its end."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from vla_core.ros.time import duration_from_seconds, ns_from_msg, seconds_from_msg

from vla_msgs.action import ExecuteInstruction
from vla_msgs.msg import Instruction, PolicyStatus
from vla_operator.commands import Command, CommandKind
from vla_operator.errors import CommandError
from vla_operator.goal import Code, Given, Moment, Outcome, PolicyReport, PolicyState, goal_outcome

TICK_S = 0.1
FEEDBACK_TICKS = 5
STOP = Command("stop", CommandKind.STOP)
OWN_STOP = Outcome(Code.STOPPED, "the goal's text means stop")


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the action needs of the node: judge a text, give a command, look at the latest instruction given."""

    parse: Callable[[str], Command]
    give: Callable[[Command, int], Given]
    latest: Callable[[], Given]


class InstructionAction:
    """Serves the action. Goals run as coroutines of the node's executor, woken by one timer."""

    def __init__(self, node: Node, name: str, hooks: Hooks, policy_timeout_s: float) -> None:
        """Create the server and its timer on `node`; a policy silent for `policy_timeout_s` [s] fails a goal."""
        self._hooks, self._policy_timeout_s = hooks, policy_timeout_s
        self._report: PolicyReport | None = None
        self._reported = -math.inf  # [s], monotonic
        self._tick = Future()
        self._timer = node.create_timer(TICK_S, self._on_tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._server = ActionServer(
            node, ExecuteInstruction, name, self._execute, cancel_callback=lambda goal: CancelResponse.ACCEPT
        )

    def on_policy_status(self, msg: PolicyStatus) -> None:
        """Take the policy's latest report."""
        try:
            state = PolicyState(msg.state)
        except ValueError:  # of a newer version: nothing that ends a goal
            state = PolicyState.WAITING
        self._report = PolicyReport(
            msg.instruction_id, msg.instruction_sequence, state, msg.reason, msg.instruction_chunks
        )
        self._reported = time.monotonic()

    def _on_tick(self) -> None:
        tick, self._tick = self._tick, Future()
        tick.set_result(None)

    async def _execute(self, goal: ServerGoalHandle) -> ExecuteInstruction.Result:
        started = time.monotonic()
        try:
            command = self._hooks.parse(goal.request.text)
            if command.kind is CommandKind.STOP:  # before the timeout is judged: a stop stops
                self._hooks.give(command, Instruction.SOURCE_PLANNER)
                return _end(goal, OWN_STOP, started)
            timeout = _timeout(goal)
        except CommandError as error:
            return _end(goal, Outcome(Code.REJECTED, str(error)), started)
        mine = self._hooks.give(command, Instruction.SOURCE_PLANNER)
        outcome = await self._follow(goal, mine, started, timeout)
        if outcome.stop:
            self._hooks.give(STOP, Instruction.SOURCE_PLANNER)
        return _end(goal, outcome, started)

    async def _follow(self, goal: ServerGoalHandle, mine: Given, started: float, timeout: float) -> Outcome:
        ticks, heard = 0, started
        while True:
            now, report = time.monotonic(), self._report
            served = report is not None and report.instruction_id == mine.id
            heard = max(heard, self._reported) if served else heard
            moment = Moment(goal.is_cancel_requested, now - started > timeout, now - heard)
            outcome = goal_outcome(mine, self._hooks.latest(), report, moment, self._policy_timeout_s)
            if outcome is not None:
                return outcome
            if ticks % FEEDBACK_TICKS == 0:
                goal.publish_feedback(_feedback(report if served else None, now - started))
            ticks += 1
            await self._tick


def _timeout(goal: ServerGoalHandle) -> float:
    """Return the goal's timeout [s]. Raises CommandError for a negative one."""
    if ns_from_msg(goal.request.timeout) < 0:
        received = seconds_from_msg(goal.request.timeout)
        raise CommandError(f"timeout is {received:g} s; valid is 0 (none) or a positive duration")
    return seconds_from_msg(goal.request.timeout) or math.inf


def _feedback(report: PolicyReport | None, elapsed: float) -> ExecuteInstruction.Feedback:
    state = PolicyState.WAITING if report is None else report.state
    chunks = 0 if report is None else report.chunks
    return ExecuteInstruction.Feedback(state=int(state), chunks=chunks, elapsed=duration_from_seconds(elapsed))


def _end(goal: ServerGoalHandle, outcome: Outcome, started: float) -> ExecuteInstruction.Result:
    if (
        outcome.code is Code.FINISHED or outcome is OWN_STOP
    ):  # done what was asked, also where a cancel came at that moment
        goal.succeed()
    elif outcome.code is Code.CANCELLED:
        goal.canceled()
    else:
        goal.abort()
    elapsed = duration_from_seconds(time.monotonic() - started)
    return ExecuteInstruction.Result(code=int(outcome.code), text=outcome.text, elapsed=elapsed)
