# SPDX-License-Identifier: Apache-2.0
"""The one writer of instructions: numbers them, publishes them, and sends its sign of life."""

import time
import uuid

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from vla_core.state import state_file

from vla_msgs.msg import ControllerStatus, Instruction, OperatorHeartbeat, PolicyStatus
from vla_operator.commands import Command, CommandKind
from vla_operator.confirmation import Confirmations
from vla_operator.goal import Given
from vla_operator.sequence import InstructionSequence
from vla_operator.settings import InstructionSettings

LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
HEARTBEAT_PERIOD_S = 0.2
POLICY, CONTROLLER = "policy_node", "controller_node"
SILENCES_S = {POLICY: 2.5, CONTROLLER: 1.0}  # they report every second at least, and 20 times a second


class Intake:
    """Publishes instructions and heartbeats on `node`, an instruction again while policy or controller lack it.

    Instructions stay latched for whoever displays them; policy and controller subscribe without durability, so that
    none comes back to a node that starts again.
    """

    def __init__(self, node: Node, settings: InstructionSettings) -> None:
        """Create the publishers and begin to send heartbeats."""
        self._node = node
        path = state_file("instructions", node.context.get_domain_id(), node.get_namespace())
        self._sequence = InstructionSequence(path)
        self.latest = Given("", 0, stop=False)
        self._message, self._confirmations = Instruction(), Confirmations(SILENCES_S)
        self._instructions = node.create_publisher(Instruction, settings.instruction_topic, LATCHED)
        self._heartbeats = node.create_publisher(OperatorHeartbeat, settings.heartbeat_topic, 1)
        node.create_subscription(ControllerStatus, settings.controller_status_topic, self._on_controller, 1)
        # Real time: a simulated clock may stand still while the arm moves.
        node.create_timer(HEARTBEAT_PERIOD_S, self._beat, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def give(self, command: Command, source: int) -> Given:
        """Publish a command as the next instruction."""
        sequence = self._sequence.next(time.time_ns())
        if self._sequence.problem:
            self._node.get_logger().warning(self._sequence.problem, throttle_duration_sec=60.0)
        given = Given(uuid.uuid4().hex, sequence, stop=command.kind is CommandKind.STOP)
        message = Instruction(id=given.id, text=command.text, kind=command.kind.value, source=source, sequence=sequence)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._instructions.publish(message)
        self.latest, self._message = given, message
        self._confirmations.give(sequence, time.monotonic())
        self._beat()
        return given

    def on_policy(self, status: PolicyStatus) -> None:
        """Take note of what the policy reports."""
        self._note_received(POLICY, status.instruction_sequence)

    def _on_controller(self, status: ControllerStatus) -> None:
        self._note_received(CONTROLLER, status.instruction_sequence)

    def _note_received(self, name: str, sequence: int) -> None:
        self._sequence.note_seen(sequence)  # the numbers to come stay above it
        self._confirmations.report(name, sequence, time.monotonic())

    def rivals(self) -> int:
        """Return how many others publish instructions."""
        return max(0, self._node.count_publishers(self._instructions.topic_name) - 1)

    def listeners(self) -> int:
        """Return how many subscriptions the instructions have."""
        return int(self._instructions.get_subscription_count())

    def _beat(self) -> None:
        lacking = self._confirmations.lacking(time.monotonic())
        if lacking:
            self._node.get_logger().info(f"sent again: {' and '.join(lacking)} did not have it")
            self._instructions.publish(self._message)
        heartbeat = OperatorHeartbeat(sequence=self.latest.sequence)
        heartbeat.header.stamp = self._node.get_clock().now().to_msg()
        self._heartbeats.publish(heartbeat)
