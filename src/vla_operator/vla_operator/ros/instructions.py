# SPDX-License-Identifier: Apache-2.0
"""The node instruction_node: text and voice commands in, instructions for policy and controller out."""

import uuid
from functools import partial

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings

from vla_msgs.msg import Instruction
from vla_operator.commands import Command, CommandKind, parse_command
from vla_operator.errors import CommandError
from vla_operator.instruction_health import InstructionHealth
from vla_operator.settings import InstructionSettings

LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LISTENER_PERIOD_S = 0.2


class InstructionNode(ManagedNode):
    """Wires topics to parse_command."""

    def __init__(self) -> None:
        super().__init__("instruction_node")
        settings = declare_settings(self, InstructionSettings)
        self._health = InstructionHealth()
        self._publisher = self.create_publisher(Instruction, settings.instruction_topic, LATCHED)
        for topic, source in (
            (settings.text_topic, Instruction.SOURCE_TEXT),
            (settings.voice_topic, Instruction.SOURCE_VOICE),
        ):
            self.create_subscription(String, topic, partial(self._on_command, source, topic), 10)
        self._first = settings.instruction
        self._listener_timer = self.create_timer(LISTENER_PERIOD_S, self._give_first) if self._first else None
        self._diagnostics = DiagnosticsPublisher(self, {"instructions": self._health.report})
        self.get_logger().info(f"listening to {settings.text_topic} and {settings.voice_topic}")

    def _give_first(self) -> None:
        if self._first and self._publisher.get_subscription_count() == 0:
            return
        if self._first:
            self._take(self._first, Instruction.SOURCE_TEXT, "parameter instruction")
        if self._listener_timer is not None:
            self._listener_timer.cancel()

    def _on_command(self, source: int, topic: str, message: String) -> None:
        self._first = ""  # an operator has spoken: the start-up instruction is out of date
        self._take(message.data, source, topic)

    def _take(self, text: str, source: int, origin: str) -> None:
        self._first = ""
        try:
            command = parse_command(text)
        except CommandError as error:
            self._health.note_refused(f"{origin}: {error}")
            self.get_logger().warning(f"{origin}: {error}")
            return
        self._publish(command, source)

    def _publish(self, command: Command, source: int) -> None:
        is_stop = command.kind is CommandKind.STOP
        message = Instruction(id=uuid.uuid4().hex, text=command.text, kind=command.kind.value, source=source)
        message.header.stamp = self.get_clock().now().to_msg()
        self._publisher.publish(message)
        (self._health.note_stop if is_stop else self._health.note_task)(command.text)
        self.get_logger().info("stop" if is_stop else f"task: {command.text}")
