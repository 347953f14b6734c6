# SPDX-License-Identifier: Apache-2.0
"""The node instruction_node: text, voice and action goals in, instructions for policy and controller out."""

from functools import partial

from std_msgs.msg import String
from vla_core.health import Health
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings

from vla_msgs.msg import Instruction, PolicyStatus
from vla_operator.commands import Command, CommandKind, parse_command
from vla_operator.errors import CommandError
from vla_operator.goal import Given
from vla_operator.halting import HaltDetector
from vla_operator.instruction_health import InstructionHealth
from vla_operator.ros.execute_instruction import Hooks, InstructionAction
from vla_operator.ros.intake import Intake
from vla_operator.settings import InstructionSettings
from vla_operator.words import with_site_words


class InstructionNode(ManagedNode):
    """Wires topics and the action to parse_command and the intake."""

    def __init__(self) -> None:
        super().__init__("instruction_node")
        self._settings = declare_settings(self, InstructionSettings)

    def configure(self) -> None:
        """Create the entities."""
        settings = self._settings
        self._detector = HaltDetector(with_site_words(settings.halt_words))
        self._health = InstructionHealth()
        self._intake = Intake(self, settings)
        for topic, source in (
            (settings.text_topic, Instruction.SOURCE_TEXT),
            (settings.voice_topic, Instruction.SOURCE_VOICE),
        ):
            self.create_subscription(String, topic, partial(self._on_command, source, topic), 10)
        hooks = Hooks(self._parse, self._give, lambda: self._intake.latest)
        self._action = InstructionAction(self, settings.action_name, hooks, settings.policy_timeout)
        self.create_subscription(PolicyStatus, settings.status_topic, self._on_policy_status, 10)
        self._diagnostics = DiagnosticsPublisher(self, {"instructions": self._report})
        self.get_logger().info(f"listening to {settings.text_topic} and {settings.voice_topic}")

    def _report(self) -> Health:
        self._health.rivals = self._intake.rivals()
        return self._health.report()

    def _on_policy_status(self, msg: PolicyStatus) -> None:
        self._intake.on_policy(msg)
        self._action.on_policy_status(msg)

    def deactivate(self) -> None:
        """Stop the arm: tasks are refused until the node is active again."""
        self._give(Command("stop", CommandKind.STOP), Instruction.SOURCE_TEXT)

    def _on_command(self, source: int, topic: str, message: String) -> None:
        try:
            self._give(self._parse(message.data, topic), source)
        except CommandError:
            return  # counted and logged

    def _parse(self, text: str, origin: str = "action goal") -> Command:
        try:
            command = parse_command(text, self._detector)
            if not self.active and command.kind is CommandKind.TASK:
                raise CommandError("instruction_node is inactive; it takes 'stop' only")
            return command
        except CommandError as error:
            self._health.note_refused(f"{origin}: {error}")
            self.get_logger().warning(f"{origin}: {error}")
            raise

    def _give(self, command: Command, source: int) -> Given:
        given = self._intake.give(command, source)
        (self._health.note_stop if given.stop else self._health.note_task)(command.text)
        if command.kind is CommandKind.STOP:
            self.get_logger().info(f"stop: {command.text}")
        else:
            self.get_logger().info(f"task: {command.text}")
        return given
