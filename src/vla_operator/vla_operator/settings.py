# SPDX-License-Identifier: Apache-2.0
"""Every parameter of instruction_node: default, unit, range and meaning. All are read once, at start."""

from dataclasses import dataclass

from vla_core.settings import check_settings, setting


@dataclass(frozen=True, slots=True)
class InstructionSettings:
    """Parameters of instruction_node. Raises SettingsError for a value out of its range."""

    text_topic: str = setting("/vla/text_command", "std_msgs/String in: typed commands")
    voice_topic: str = setting("/voice_command", "std_msgs/String in: transcribed commands")
    instruction_topic: str = setting("/vla/instruction", "vla_msgs/Instruction out")
    heartbeat_topic: str = setting("/vla/operator_heartbeat", "vla_msgs/OperatorHeartbeat out, 5 Hz")
    status_topic: str = setting("/vla/policy_status", "vla_msgs/PolicyStatus in, for the action")
    action_name: str = setting("/vla/execute_instruction", "vla_msgs/ExecuteInstruction action")
    policy_timeout: float = setting(5.0, "[s] silence of the policy after which a goal fails", 1.0, 600.0)
    halt_words: str = setting("", "YAML file of this site's halt words, beside the built-in ones; empty: none")

    def __post_init__(self) -> None:
        """Check ranges and choices."""
        check_settings(self)
