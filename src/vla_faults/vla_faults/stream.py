# SPDX-License-Identifier: Apache-2.0
"""A stream of messages with faults in it. Time is passed in; messages of any type are passed through unchanged."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from typing import Any, Generic, TypeVar

from vla_faults.fault import Fault
from vla_faults.kinds import BY_NAME, Alter, Kind

T = TypeVar("T")


def unaltered(message: T, magnitude: float, rng: random.Random) -> T:
    """Return `message` as it is."""
    return message


class FaultyStream(Generic[T]):
    """Passes messages on, with at most one fault at a time.

    What a fault has delayed still comes after its end, in its own time, as a network delivers it.
    """

    def __init__(self) -> None:
        """No fault is in force."""
        self.fault: Fault | None = None
        self.passed = self.sent = 0  # messages since the beginning of the fault
        self._kind: Kind[Any] | None = None
        self._until = math.inf
        self._before: T | None = None
        self._waiting: list[tuple[float, int, T]] = []
        self._count = itertools.count()

    def begin(self, fault: Fault, now: float, alter: Alter[T] = unaltered) -> None:
        """Let `fault` begin at `now` [s]; `alter` makes wrong messages for the kinds wrong and garbage."""
        self.fault, self._kind = fault, BY_NAME[fault.kind](fault, self._before, alter)  # type: ignore[arg-type]
        self._until = now + fault.duration if fault.duration else math.inf
        self.passed = self.sent = 0

    def end(self) -> None:
        """End the fault."""
        self.fault = self._kind = None

    def push(self, message: T, now: float) -> list[T]:
        """Take a message that comes at `now` [s]; return what is sent now, in order."""
        if self._kind is not None and now >= self._until:
            self.end()
        if self._kind is None:
            self._before = message
            return [*self.due(now), message]
        self.passed += 1
        for when, what in self._kind.take(message, now):
            heapq.heappush(self._waiting, (when, next(self._count), what))
        return self.due(now)

    def due(self, now: float) -> list[T]:
        """Return what waited until `now` [s], in order."""
        sent: list[T] = []
        while self._waiting and self._waiting[0][0] <= now:
            sent.append(heapq.heappop(self._waiting)[2])
        self.sent += len(sent)
        return sent

    @property
    def next_due(self) -> float:
        """When [s] the next waiting message is sent; infinite: none waits."""
        return self._waiting[0][0] if self._waiting else math.inf
