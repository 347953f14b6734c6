# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the simulator node: its default, unit, range and meaning, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


class SettingsError(ValueError):
    """A parameter of the simulator node is not valid."""


def _setting(
    default: Any, description: str, low: float | None = None, high: float | None = None, live: bool = False
) -> Any:
    metadata = {"description": description, "low": low, "high": high, "live": live}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the simulator node. Only those marked live may change while it runs."""

    robot: str = _setting("fr3", "simulated robot: fr3 or wx250s")
    seed: int = _setting(0, "of the table that is laid out at start", 0, 2**31 - 1)
    task: str = _setting("", "instruction to lay the table for and to judge from the start; empty: any table, no task")
    camera_rate: float = _setting(10.0, "[Hz] of the front camera; 0 turns it off", 0.0, 60.0)
    wrist_camera_rate: float = _setting(0.0, "[Hz] of the wrist camera; 0 turns it off", 0.0, 60.0)
    viewer_camera_rate: float = _setting(0.0, "[Hz] of the outside camera, for people; 0: off", 0.0, 30.0, live=True)
    camera_height: int = _setting(256, "[pixels] of the front and wrist cameras", 16, 1024)
    camera_width: int = _setting(320, "[pixels] of the front and wrist cameras", 16, 1280)
    viewer_camera_height: int = _setting(460, "[pixels] of the outside camera", 16, 1024)
    viewer_camera_width: int = _setting(640, "[pixels] of the outside camera", 16, 1280)
    camera_delay: float = _setting(0.0, "[s] images are published that much after capture", 0.0, 5.0, live=True)
    action_delay: float = _setting(0.0, "[s] commands take effect that much after arrival", 0.0, 5.0, live=True)
    joint_states_topic: str = _setting("/joint_states", "sensor_msgs/JointState out, 100 Hz")
    camera: str = _setting("/camera", "namespace of the front camera's image_raw and camera_info")
    wrist_camera: str = _setting("/camera/wrist", "namespace of the wrist camera's image_raw and camera_info")
    viewer_camera: str = _setting("/camera/viewer", "namespace of the outside camera's image_raw and camera_info")
    arm_command_topic: str = _setting("", "trajectory_msgs/JointTrajectory in; empty: the robot's own")
    gripper_command_topic: str = _setting("/gripper_controller/joint_trajectory", "first finger's trajectory [m] in")

    def __post_init__(self) -> None:
        """Raise SettingsError for a number outside its range."""
        for item in fields(self):
            check_range(item.name, getattr(self, item.name))


def check_range(name: str, value: object) -> None:
    """Raise SettingsError when the number `value` is outside the range of the parameter `name`."""
    metadata = next(item.metadata for item in fields(Settings) if item.name == name)
    low, high = metadata["low"], metadata["high"]
    if low is not None and not (isinstance(value, int | float) and low <= value <= high):
        raise SettingsError(f"parameter {name} is {value}; valid: {low:g} to {high:g}")
