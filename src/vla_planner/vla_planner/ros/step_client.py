# SPDX-License-Identifier: Apache-2.0
"""One step at a time on /vla/execute_instruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import ActionClient
from rclpy.node import Node

from vla_msgs.action import ExecuteInstruction
from vla_planner.report import StepEnd

Ended = Callable[[StepEnd, str], None]


class StepClient:
    """Gives instructions; tells how the latest one ended, unless it was halted here."""

    def __init__(self, node: Node, name: str, ended: Ended) -> None:
        self._client = ActionClient(node, ExecuteInstruction, name)
        self._ended = ended
        self._number = 0  # of the latest step; answers about earlier ones are ignored
        self._handle: Any = None
        self._cancel_wanted = False

    @property
    def ready(self) -> bool:
        """Whether somebody executes instructions."""
        return bool(self._client.server_is_ready())

    def begin(self, text: str) -> None:
        """Give an instruction."""
        self._number += 1
        number = self._number
        self._handle, self._cancel_wanted = None, False
        if not self.ready:
            self._ended(StepEnd.NO_POLICY, "no instruction_node answers")
            return
        future = self._client.send_goal_async(ExecuteInstruction.Goal(text=text))
        future.add_done_callback(lambda done: self._accepted(number, done))

    def halt(self) -> None:
        """Halt the policy; the end of the step is not told any more."""
        self._number += 1
        self._cancel_wanted = True
        if self._handle is not None:
            self._handle.cancel_goal_async()
            self._handle = None

    def _accepted(self, number: int, future: Any) -> None:
        handle = future.result()
        if handle is None or not handle.accepted:
            if number == self._number:
                self._ended(StepEnd.REJECTED, "instruction_node did not accept the goal")
            return
        if number != self._number:
            if self._cancel_wanted:
                handle.cancel_goal_async()
            return
        self._handle = handle
        handle.get_result_async().add_done_callback(lambda done: self._finished(number, done))

    def _finished(self, number: int, future: Any) -> None:
        if number != self._number:
            return
        self._handle = None
        result = future.result().result
        self._ended(StepEnd(result.code), result.text)
