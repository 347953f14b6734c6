# SPDX-License-Identifier: Apache-2.0
"""The clock that the simulator's loops run on: the wall clock, or one that the physics advances. No ROS."""

from __future__ import annotations

import threading
import time
from typing import Protocol

_POLL = 0.02  # [s] longest sleep of a thread that waits for simulated time
_SHORTEST = 0.001  # [s]


class LoopClock(Protocol):
    """Time of the camera schedules [s], and the stamp of the present [ns]."""

    def now(self) -> float:
        """Return the time [s]; only differences count."""

    def stamp_ns(self) -> int:
        """Return the time that messages are stamped with [ns]."""

    def wait_until(self, due: float, stopping: threading.Event) -> None:
        """Sleep until `due` [s] or until `stopping` is set."""


class WallClock:
    """Monotonic time for schedules, the system's time for stamps."""

    def now(self) -> float:
        """Return monotonic time [s]."""
        return time.monotonic()

    def stamp_ns(self) -> int:
        """Return the system's time [ns]."""
        return time.time_ns()

    def wait_until(self, due: float, stopping: threading.Event) -> None:
        """Sleep until `due` [s] or until `stopping` is set."""
        stopping.wait(max(0.0, due - time.monotonic()))


class SimulatedClock:
    """Simulated time since the start of the simulator, set by the physics after each state."""

    def __init__(self, speed: float = 1.0) -> None:
        """`speed`: simulated seconds per wall second that the physics aims at."""
        self.speed = speed
        self._ns = 0

    def set(self, stamp_ns: int) -> None:
        """Advance to `stamp_ns` [ns]."""
        self._ns = stamp_ns

    def now(self) -> float:
        """Return simulated time [s]."""
        return self._ns * 1e-9

    def stamp_ns(self) -> int:
        """Return simulated time [ns]."""
        return self._ns

    def wait_until(self, due: float, stopping: threading.Event) -> None:
        """Sleep until the simulation has reached `due` [s], for ever while it is paused, or until `stopping` is set."""
        while (left := due - self.now()) > 0.0 and not stopping.is_set():
            stopping.wait(max(_SHORTEST, min(_POLL, left / self.speed)))
