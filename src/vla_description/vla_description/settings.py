# SPDX-License-Identifier: Apache-2.0
"""Parameters of the node, by the names and defaults of robot_state_publisher."""

from __future__ import annotations

from dataclasses import dataclass

from vla_core.settings import check_settings, setting


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of robot_state_publisher."""

    robot_description: str = setting("", "URDF of the robot, the text itself")
    publish_frequency: float = setting(20.0, "[Hz] highest rate of /tf", 0.1, 1000.0)
    frame_prefix: str = setting("", "put before the name of every frame, for example 'left/'")

    def __post_init__(self) -> None:
        """Raise SettingsError for an invalid value."""
        check_settings(self)
