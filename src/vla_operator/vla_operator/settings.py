# SPDX-License-Identifier: Apache-2.0
"""Every parameter of instruction_node and teleop_node: default, unit, range, meaning. All are read once, at start."""

from dataclasses import dataclass

from vla_core.settings import check_settings, setting


@dataclass(frozen=True, slots=True)
class InstructionSettings:
    """Parameters of instruction_node. Raises SettingsError for a value out of its range."""

    text_topic: str = setting("vla/text_command", "std_msgs/String in: typed commands")
    voice_topic: str = setting("voice_command", "std_msgs/String in: transcribed commands")
    instruction_topic: str = setting("vla/instruction", "vla_msgs/Instruction out")
    heartbeat_topic: str = setting("vla/operator_heartbeat", "vla_msgs/OperatorHeartbeat out, 5 Hz")
    status_topic: str = setting("vla/policy_status", "vla_msgs/PolicyStatus in, for the action")
    controller_status_topic: str = setting("vla/controller_status", "vla_msgs/ControllerStatus in")
    action_name: str = setting("vla/execute_instruction", "vla_msgs/ExecuteInstruction action")
    policy_timeout: float = setting(5.0, "[s] silence of the policy after which a goal fails", 1.0, 600.0)
    halt_words: str = setting("", "YAML file of this site's halt words, beside the built-in ones; empty: none")

    def __post_init__(self) -> None:
        """Check ranges and choices."""
        check_settings(self)


DEVICES = ("keyboard", "gamepad", "joy", "topic")


@dataclass(frozen=True, slots=True)
class TeleopSettings:
    """Parameters of teleop_node. Raises SettingsError for a value out of its range."""

    device: str = setting("joy", "what the person holds; keyboard needs a terminal", choices=DEVICES)
    name: str = setting("", "of the device, for the controller and the log; empty: made of device, host and process")
    mapping: str = setting("", "axes and keys: a name in config/teleop or a YAML file; empty: that of the device")
    gamepad: str = setting("", "part of the gamepad's name; empty: the first one")
    speed: float = setting(0.5, "share of the top speeds at the start", 0.05, 1.0)
    linear_speed: float = setting(0.25, "[m/s] top speed; the controller's own holds as well", 0.005, 1.0)
    angular_speed: float = setting(1.0, "[rad/s] likewise", 0.02, 3.0)
    frame: str = setting(
        "", "base or tool: whose axes; empty: the mapping's, the message's", choices=("", "base", "tool")
    )
    joy_topic: str = setting("joy", "sensor_msgs/Joy in, for device joy, repeated at 10 Hz or more")
    twist_topic: str = setting("teleop/twist", "geometry_msgs/TwistStamped in, for device topic")
    twist_units: str = setting(
        "speed", "speed: m/s and rad/s; unitless: shares of the top speeds", choices=("speed", "unitless")
    )
    pose_topic: str = setting("teleop/pose", "geometry_msgs/PoseStamped in, for device topic")
    pose_mode: str = setting(
        "relative", "relative: the tool moves as the device; absolute: it goes there", choices=("relative", "absolute")
    )
    pose_scale: float = setting(1.0, "way of the tool for that of the device, for pose_mode relative", 0.05, 5.0)
    pose_yaw: float = setting(0.0, "[rad] by which the device's frame is turned about the vertical", -3.2, 3.2)
    clutch: str = setting(
        "topic", "deadman of device topic: clutch_topic, or the stream of its messages", choices=("topic", "stream")
    )
    clutch_topic: str = setting("teleop/clutch", "std_msgs/Bool in: the deadman, repeated at 10 Hz or more")
    gripper_topic: str = setting("teleop/gripper", "std_msgs/Float64 in: opening, 0 to 1, for device topic")
    input_timeout: float = setting(0.2, "[s] without a message after which joy or topic counts as silent", 0.05, 1.0)
    command_topic: str = setting("vla/teleop_command", "vla_msgs/TeleopCommand out")
    status_topic: str = setting("vla/controller_status", "vla_msgs/ControllerStatus in")

    def __post_init__(self) -> None:
        """Check ranges and choices."""
        check_settings(self)
