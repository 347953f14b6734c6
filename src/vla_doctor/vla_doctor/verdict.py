# SPDX-License-Identifier: Apache-2.0
"""The verdict of one check."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Level(Enum):
    """OK: as it should be; WARN: works, with a drawback; ERROR: the arm should not move; SKIPPED: not checked here."""

    OK = "ok"
    WARN = "warn"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """subject: what was checked; found: what is so; remedy: what helps, empty where nothing is wrong."""

    level: Level
    subject: str
    found: str
    remedy: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**asdict(self), "level": self.level.value}


def ok(subject: str, found: str) -> Verdict:
    """Return the verdict that all is well."""
    return Verdict(Level.OK, subject, found)


def warn(subject: str, found: str, remedy: str) -> Verdict:
    """Return the verdict that something has a drawback."""
    return Verdict(Level.WARN, subject, found, remedy)


def error(subject: str, found: str, remedy: str) -> Verdict:
    """Return the verdict that the arm should not move."""
    return Verdict(Level.ERROR, subject, found, remedy)


def skipped(subject: str, found: str) -> Verdict:
    """Return the verdict that something was not checked; found: why."""
    return Verdict(Level.SKIPPED, subject, found)
