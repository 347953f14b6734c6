# SPDX-License-Identifier: Apache-2.0
"""The action /vla/execute_instruction: give an instruction and follow it to its end."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from vla_msgs.action import ExecuteInstruction
from vla_policy.goal import STOPPED, Outcome, goal_outcome, goal_refusal, means_stop
from vla_policy.run.runner import Status

TICK_S = 0.1
FEEDBACK_TICKS = 5


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the action needs of the node: begin a task and return its id, stop, look at the runner's status."""

    begin: Callable[[str], str]
    stop: Callable[[], None]
    status: Callable[[], Status]


class InstructionAction:
    """Serves the action. Goals run as coroutines of the node's executor, woken by one timer."""

    def __init__(self, node: Node, name: str, hooks: Hooks) -> None:
        """Create the server and its timer on `node`."""
        self._hooks = hooks
        self._tick = Future()
        self._timer = node.create_timer(TICK_S, self._on_tick)
        self._server = ActionServer(
            node, ExecuteInstruction, name, self._execute, cancel_callback=lambda goal: CancelResponse.ACCEPT
        )

    def destroy(self) -> None:
        """Take the server down."""
        self._server.destroy()

    def _on_tick(self) -> None:
        tick, self._tick = self._tick, Future()
        tick.set_result(None)

    async def _execute(self, goal: ServerGoalHandle) -> ExecuteInstruction.Result:
        started = time.monotonic()
        if means_stop(goal.request.text):  # before anything is refused: a stop stops
            return self._end(goal, Outcome(STOPPED, stop=True), started)
        refusal = goal_refusal(goal.request.text, goal.request.timeout)
        if refusal:
            return self._end(goal, Outcome(f"rejected: {refusal}"), started)
        instruction_id = self._hooks.begin(" ".join(goal.request.text.split()))
        deadline = started + (goal.request.timeout or math.inf)
        ticks = 0
        while True:
            status = self._hooks.status()
            outcome = goal_outcome(
                status, instruction_id, cancelled=goal.is_cancel_requested, timed_out=time.monotonic() > deadline
            )
            if outcome is not None:
                return self._end(goal, outcome, started)
            if ticks % FEEDBACK_TICKS == 0:
                goal.publish_feedback(
                    ExecuteInstruction.Feedback(
                        state=int(status.state), chunks=status.task_chunks, seconds=time.monotonic() - started
                    )
                )
            ticks += 1
            await self._tick

    def _end(self, goal: ServerGoalHandle, outcome: Outcome, started: float) -> ExecuteInstruction.Result:
        if outcome.stop:
            self._hooks.stop()
        if goal.is_cancel_requested:
            goal.canceled()
        elif outcome.finished or outcome.reason == STOPPED:  # done what was asked
            goal.succeed()
        else:
            goal.abort()
        return ExecuteInstruction.Result(
            finished=outcome.finished, reason=outcome.reason, seconds=time.monotonic() - started
        )
