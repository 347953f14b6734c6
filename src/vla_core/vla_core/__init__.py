# SPDX-License-Identifier: Apache-2.0
"""What every package of the stack may use: action chunks, robot files, rotations, settings, health. Free of ROS.

The ROS side (parameters, process, time, diagnostics, messages) is in `vla_core.ros`.
"""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "action": ("ActionChunk", "ActionMode", "ActionStep", "ActionValueError", "DeltaReference"),
        "files": ("replacing", "write_text"),
        "health": ("Health", "Level"),
        "robot": ("RobotConfig", "RobotConfigError", "load_robot_config"),
        "rotation": ("Pose",),
        "settings": ("SettingsError", "check_settings", "setting", "settings_from_texts"),
    },
)
