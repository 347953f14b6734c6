# SPDX-License-Identifier: Apache-2.0
"""What every package of the stack may use: action chunks, robot files, rotations, settings, health. Free of ROS.

The ROS side (parameters, process, time, diagnostics, messages) is in `vla_core.ros`.
"""

from vla_core.action import ActionChunk, ActionMode, ActionStep, ActionValueError, DeltaReference
from vla_core.health import Health, Level
from vla_core.robot import RobotConfig, RobotConfigError, load_robot_config
from vla_core.rotation import Pose
from vla_core.settings import SettingsError, check_settings, setting

__all__ = [
    "ActionChunk",
    "ActionMode",
    "ActionStep",
    "ActionValueError",
    "DeltaReference",
    "Health",
    "Level",
    "Pose",
    "RobotConfig",
    "RobotConfigError",
    "SettingsError",
    "check_settings",
    "load_robot_config",
    "setting",
]
