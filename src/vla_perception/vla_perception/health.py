# SPDX-License-Identifier: Apache-2.0
"""How a node is, as a level, a stable name and a sentence; the ROS face is diagnostic_msgs/DiagnosticStatus."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Level(Enum):
    """The values of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Health:
    """A finding; ``name`` stays the same while the numbers in ``message`` change."""

    level: Level
    name: str
    message: str
    values: Mapping[str, str] = field(default_factory=dict)
    is_logged: bool = True  # whether the log tells of it too
