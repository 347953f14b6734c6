# SPDX-License-Identifier: Apache-2.0
"""Simulated time kept at a fixed ratio to the wall clock. Time is passed in: monotonic seconds."""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")
MAX_BACKLOG_S = 0.05
WINDOW_S = 5.0
_SAMPLE_S = 0.1


class Pacer:
    """How many physics steps are due, on an absolute schedule, so that a late wake-up is caught up.

    A delay of more than MAX_BACKLOG_S is not: the simulated world stood still for that time, and the real-time factor
    says so. A robot that rushes through half a second of commands would be worse than one that lost it.
    """

    def __init__(self, timestep: float, now: float, speed: float = 1.0) -> None:
        """`timestep`: of the physics [s]; `speed`: simulated seconds per wall second, which may be set at any time."""
        self._timestep = timestep
        self.speed = speed
        self.time_of_state = now  # [s] monotonic, of the state after the last due step
        self._steps = 0
        self.lost_s = 0.0  # wall time that was not simulated
        self._samples = deque([(now, 0)])

    def restart(self, now: float) -> None:
        """Count from `now` [s] after a pause, which is not lost time."""
        self.time_of_state = now
        self._samples = deque([(now, self._steps)])

    def due(self, now: float) -> int:
        """Steps to take now; they count as taken."""
        backlog = now - self.time_of_state
        most = MAX_BACKLOG_S + self._timestep / self.speed  # a step that is not yet due is no backlog
        if backlog > most:
            self.time_of_state += backlog - most
            self.lost_s += backlog - most
        steps = max(0, int((now - self.time_of_state) * self.speed / self._timestep + 1e-6))
        self.time_of_state += steps * self._timestep / self.speed
        self._steps += steps
        self._sample(now)
        return steps

    def _sample(self, now: float) -> None:
        if now - self._samples[-1][0] >= _SAMPLE_S:
            self._samples.append((now, self._steps))
        while len(self._samples) > 2 and now - self._samples[1][0] >= WINDOW_S:
            self._samples.popleft()

    def real_time_factor(self, now: float) -> float:
        """Simulated seconds per wall second over about the last WINDOW_S; 1 before there is anything to judge."""
        since, steps = self._samples[0]
        if now - since < _SAMPLE_S:
            return 1.0
        return (self._steps - steps) * self._timestep / (now - since)


class DelayLine(Generic[T]):
    """Gives things back when they are due, earliest first."""

    def __init__(self) -> None:
        self._items: list[tuple[float, int, T]] = []
        self._order = count()

    def put(self, item: T, due: float) -> None:
        """Keep `item` until `due` [s]."""
        heapq.heappush(self._items, (due, next(self._order), item))

    def take(self, now: float) -> list[T]:
        """Everything that is due."""
        taken: list[T] = []
        while self._items and self._items[0][0] <= now:
            taken.append(heapq.heappop(self._items)[2])
        return taken

    @property
    def next_due(self) -> float:
        """When the next item is due [s]; infinity when there is none."""
        return self._items[0][0] if self._items else float("inf")


class Schedule:
    """A periodic event on an absolute schedule; periods that were missed altogether are dropped."""

    def __init__(self, rate_hz: float, now: float) -> None:
        self._period = 1.0 / rate_hz if rate_hz > 0 else float("inf")
        self.next_due = now + self._period if rate_hz > 0 else float("inf")

    def take(self, now: float) -> bool:
        """Whether the event is due; it counts as having happened."""
        if now < self.next_due:
            return False
        self.next_due += self._period * (int((now - self.next_due) / self._period) + 1)
        return True
