# SPDX-License-Identifier: Apache-2.0
"""Settings of fault_node."""

from __future__ import annotations

from dataclasses import dataclass

from vla_core.settings import check_settings, setting


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """ROS parameters of fault_node."""

    robot_config: str = setting("fr3", "robot: bare name of an installed description, or path of a yaml file")
    clock: bool = setting(False, "whether the graph runs in simulated time, whose clock is an arrow too")

    def __post_init__(self) -> None:
        """Raise SettingsError for an invalid value."""
        check_settings(self)
