# SPDX-License-Identifier: Apache-2.0
"""Health of a part of a node: level, stable name, sentence; in ROS a diagnostic_msgs/DiagnosticStatus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Level(IntEnum):
    """The values of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Health:
    """A finding; `name` stays the same while the numbers in `message` change."""

    level: Level
    name: str
    message: str
    values: Mapping[str, object] = field(default_factory=dict)
    is_logged: bool = True  # whether a change of `name` is written to the log too
