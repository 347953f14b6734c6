# SPDX-License-Identifier: Apache-2.0
"""The kinds of fault on a stream: for each message that comes, what is sent and when."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from vla_faults.fault import Fault

T = TypeVar("T")
Alter = Callable[[T, float, random.Random], T]  # of a message, a magnitude and a generator
Sent = list[tuple[float, T]]  # when [s], and what


class Kind(ABC, Generic[T]):
    """A fault in force. Messages are never changed in place."""

    def __init__(self, fault: Fault, before: T | None, alter: Alter[T]) -> None:
        """`before` is the message before the fault, if any; `alter` corrupts a message."""
        self.magnitude, self.rng = fault.magnitude, random.Random(fault.seed)
        self.before, self.alter = before, alter

    @abstractmethod
    def take(self, message: T, now: float) -> Sent[T]:
        """Return what is sent for `message`, which comes at `now` [s]."""


class Off(Kind[T]):
    """Nothing is sent."""

    def take(self, message: T, now: float) -> Sent[T]:
        """Return nothing."""
        return []


class Stuck(Kind[T]):
    """The message before the fault is repeated, stamp and all."""

    def take(self, message: T, now: float) -> Sent[T]:
        """Return the message before the fault; without one, the first."""
        self.before = message if self.before is None else self.before
        return [(now, self.before)]


class Altered(Kind[T]):
    """Contents are wrong."""

    def take(self, message: T, now: float) -> Sent[T]:
        """Return the message with wrong contents."""
        return [(now, self.alter(message, self.magnitude, self.rng))]


class Slow(Kind[T]):
    """One message passes each `magnitude` seconds."""

    last = -math.inf

    def take(self, message: T, now: float) -> Sent[T]:
        """Return the message where it is time."""
        if now - self.last < self.magnitude:
            return []
        self.last = now
        return [(now, message)]


class Delayed(Kind[T]):
    """Each message comes `magnitude` seconds late."""

    def take(self, message: T, now: float) -> Sent[T]:
        """Return the message for later."""
        return [(now + self.magnitude, message)]


class Intermittent(Kind[T]):
    """A share of the messages is lost."""

    def take(self, message: T, now: float) -> Sent[T]:
        """Return the message, or nothing."""
        return [] if self.rng.random() < self.magnitude else [(now, message)]


class Duplicated(Kind[T]):
    """A share of the messages is sent twice."""

    def take(self, message: T, now: float) -> Sent[T]:
        """Return the message once or twice."""
        return [(now, message)] * (2 if self.rng.random() < self.magnitude else 1)


class Reordered(Kind[T]):
    """A share of the messages is overtaken by the next one."""

    held: T | None = None

    def take(self, message: T, now: float) -> Sent[T]:
        """Return nothing, the message, or the message and the one before."""
        if self.held is None and self.rng.random() < self.magnitude:
            self.held = message
            return []
        late, self.held = self.held, None
        return [(now, message)] if late is None else [(now, message), (now, late)]


BY_NAME: dict[str, type[Kind[object]]] = {
    "off": Off,
    "stuck": Stuck,
    "garbage": Altered,
    "wrong": Altered,
    "slow": Slow,
    "delayed": Delayed,
    "intermittent": Intermittent,
    "duplicated": Duplicated,
    "reordered": Reordered,
}
