# SPDX-License-Identifier: Apache-2.0
"""What the executive wants done next: a call of the mind, a step by the policy, or a halt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vla_planner.vocabulary import Step


@dataclass(frozen=True, slots=True)
class Thought:
    """What a call of the mind came to: a value, or the exception that it raised. seconds: on the clock [s]."""

    number: int
    value: Any
    error: Exception | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Think:
    """A call of the mind, which may take seconds: run it in any thread, and give the Thought to `Executive.take`."""

    number: int
    kind: str  # decide, done or answer
    call: Callable[[], Any]

    def run(self) -> Thought:
        """Call the mind; whatever it raises is returned."""
        began = time.monotonic()
        try:
            value, error = self.call(), None
        except Exception as raised:  # a mind is a plug-in
            value, error = None, raised
        return Thought(self.number, value, error, time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class Act:
    """Have the policy do a step; say how it ended with `Executive.ended`."""

    step: Step


@dataclass(frozen=True, slots=True)
class Halt:
    """Halt the policy: the step is over."""


Order = Think | Act | Halt
