# SPDX-License-Identifier: Apache-2.0
"""For tests of other packages: a stream of messages with a fault in it, as a pytest fixture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest

from vla_faults.corruptions import corruption
from vla_faults.fault import Fault
from vla_faults.stream import FaultyStream, unaltered

T = TypeVar("T")
Timed = list[tuple[float, T]]  # when [s], and what


def faulty(messages: Iterable[tuple[float, T]], kind: str, magnitude: float = 0.0, seed: int = 0) -> Timed[T]:
    """Return what comes of `messages` through a fault that is in force from the first one on.

    Args:
        messages: (time [s], message) in order of time; ROS messages where contents are to be wrong.
        kind: of the fault, such as "delayed" or "wrong:black".
        magnitude: of the kind; 0: its default.
        seed: of what is drawn.
    """
    fault, stream, sent = Fault.parse(kind, magnitude, seed=seed), FaultyStream[T](), list[tuple[float, T]]()
    for count, (now, message) in enumerate(messages):
        if not count:
            name = f"{type(message).__module__.split('.')[0]}/{type(message).__name__}"
            altering = fault.kind in ("wrong", "garbage")
            stream.begin(fault, now, corruption(name, fault) if altering else unaltered)
        while stream.next_due <= now:
            due = stream.next_due
            sent += [(due, late) for late in stream.due(due)]
        sent += [(now, item) for item in stream.push(message, now)]
    while stream.next_due < float("inf"):
        due = stream.next_due
        sent += [(due, late) for late in stream.due(due)]
    return sent


@pytest.fixture
def faults() -> Callable[..., Timed[T]]:
    """The function `faulty`."""
    return faulty
