# SPDX-License-Identifier: Apache-2.0
"""A sentence to the running graph: given when those who act upon it are listening, and followed until they have it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from vla_msgs.msg import ControllerStatus, Instruction, OperatorHeartbeat, PolicyStatus
from vla_operator.commands import Command, CommandKind

COMMAND_TOPIC = "vla/text_command"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
ANSWER_S = 6.0  # for the graph to take a sentence: longer than instruction_node sends it again
PATIENT_S = 1.0  # after which a wait is announced
NOT_READY = (ControllerStatus.STATE_WAITING,)


class NotGivenError(RuntimeError):
    """A first instruction that is not given, and why."""


class Graph:
    """The graph in the namespace of a node, as it answers over DDS."""

    def __init__(self, node: Node, tell: Callable[[str], None]) -> None:
        """Listen on `node`; `tell` is called with what is waited for."""
        self._node, self._tell = node, tell
        self._latest: dict[type[Any], Any] = {}
        for kind, topic, qos in (
            (Instruction, "vla/instruction", LATCHED),
            (OperatorHeartbeat, "vla/operator_heartbeat", 1),
            (PolicyStatus, "vla/policy_status", 1),
            (ControllerStatus, "vla/controller_status", 1),
        ):
            node.create_subscription(kind, topic, self._keep, qos)
        self._command = node.create_publisher(String, COMMAND_TOPIC, 10)

    def say(self, text: str, command: Command, timeout: float) -> Instruction:
        """Publish `text`, which means `command`; return the instruction that the graph made of it.

        A task waits until policy and controller are there, a stop for the intake alone.

        Args:
            text: the sentence.
            command: what it is expected to be taken for.
            timeout: [s] for the graph to be there.

        Raises:
            TimeoutError: somebody does not listen, or has not taken it; the text says who.
        """
        stop = command.kind is CommandKind.STOP
        if not self._wait(lambda: not self._absent(stop), timeout, lambda: self._waiting(stop, timeout)):
            raise TimeoutError(self._nobody(stop))
        before = self._latest[OperatorHeartbeat].sequence
        self._command.publish(String(data=text))

        def given() -> bool:
            instruction = self._latest.get(Instruction)
            return instruction is not None and instruction.sequence > before and instruction.text == command.text

        if not self._wait(given, ANSWER_S):
            raise TimeoutError("instruction_node did not take it; it says why on /diagnostics")
        instruction: Instruction = self._latest[Instruction]
        self._follow(instruction)
        return instruction

    def wait_until_ready(self) -> None:
        """Wait without end until policy and controller are ready for a first task.

        Raises:
            NotGivenError: none is to be given any more.
        """
        while self._absent(stop=False) or self._latest[ControllerStatus].state in NOT_READY or self._announced():
            self._refuse_after(Instruction)
            rclpy.spin_once(self._node, timeout_sec=0.1)
        if self.estopped:
            raise NotGivenError("the emergency stop is latched; reset it and give the instruction by `vla say`")
        self._refuse_after(Instruction)

    @property
    def estopped(self) -> bool:
        """Whether the emergency stop is latched, as the controller last reported."""
        status = self._latest.get(ControllerStatus)
        return status is not None and status.state == ControllerStatus.STATE_ESTOPPED

    def _keep(self, message: Any) -> None:
        self._latest[type(message)] = message

    def _absent(self, stop: bool) -> list[str]:
        """Return the nodes that the graph lacks for a stop, or for a task."""
        needed = {"instruction_node": OperatorHeartbeat in self._latest and self._command.get_subscription_count() > 0}
        if not stop:
            needed |= {"policy_node": PolicyStatus in self._latest, "controller_node": ControllerStatus in self._latest}
        return [name for name, there in needed.items() if not there]

    def _announced(self) -> bool:
        """Whether the intake has given an instruction that has not arrived here."""
        return bool(self._latest[OperatorHeartbeat].sequence) and Instruction not in self._latest

    def _follow(self, instruction: Instruction) -> None:
        """Wait until those who act upon it have it: policy and controller report it; of a stop the controller."""

        def lacking() -> list[str]:
            nodes = {"policy_node": PolicyStatus, "controller_node": ControllerStatus}
            return [
                name for name, kind in nodes.items() if self._latest[kind].instruction_sequence < instruction.sequence
            ]

        if instruction.kind == Instruction.KIND_TASK:
            if not self._wait(lambda: not lacking(), ANSWER_S):
                raise TimeoutError(f"{' and '.join(lacking())} did not take it: give it again")
            return
        self._latest.pop(ControllerStatus, None)
        if not self._wait(lambda: ControllerStatus in self._latest, ANSWER_S):
            raise TimeoutError("stop was given, but no controller_node answers")

    def _refuse_after(self, kind: type[Any]) -> None:
        if kind in self._latest:
            raise NotGivenError(f"an operator has spoken meanwhile: {self._latest[kind].text!r}")

    def _waiting(self, stop: bool, timeout: float) -> str:
        return f"waiting up to {timeout:g} s for {', '.join(self._absent(stop))}"

    def _nobody(self, stop: bool) -> str:
        absent = self._absent(stop)
        place = self._node.get_namespace()
        if "instruction_node" in absent:
            topic = self._node.resolve_topic_name(COMMAND_TOPIC)
            return f"nobody listens on {topic}; does `vla up` run in this ROS domain, in namespace {place}?"
        return f"not given: {' and '.join(absent)} did not report in namespace {place}; is the graph still starting?"

    def _wait(self, condition: Callable[[], bool], seconds: float, words: Callable[[], str] | None = None) -> bool:
        start, told = time.monotonic(), ""
        while not condition() and (waited := time.monotonic() - start) < seconds:
            if words is not None and waited > PATIENT_S and (text := words()) != told:
                self._tell(text)
                told = text
            rclpy.spin_once(self._node, timeout_sec=0.05)
        return condition()
