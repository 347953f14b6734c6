# SPDX-License-Identifier: Apache-2.0
"""Every parameter of instruction_node: default, unit, range and meaning. All are read once, at start."""

from dataclasses import dataclass

from vla_core.settings import check_settings, setting


@dataclass(frozen=True, slots=True)
class InstructionSettings:
    """Parameters of instruction_node. Raises SettingsError for a value out of its range."""

    instruction: str = setting("", "first instruction, given once something listens to it; empty: none")
    text_topic: str = setting("/vla/text_command", "std_msgs/String in: typed commands")
    voice_topic: str = setting("/voice_command", "std_msgs/String in: transcribed commands")
    instruction_topic: str = setting("/vla/instruction", "vla_msgs/Instruction out")

    def __post_init__(self) -> None:
        """Check ranges and choices."""
        check_settings(self)
