# SPDX-License-Identifier: Apache-2.0
"""What a fault is: its kind in PX4's words, its magnitude, duration and seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

NONE = "none"
# Kind: default magnitude, largest magnitude, unit; PX4's failure injection has the first eight.
KINDS: dict[str, tuple[float, float, str]] = {
    "off": (0.0, 0.0, "none"),
    "stuck": (0.0, 0.0, "none"),
    "garbage": (0.0, 0.0, "none"),
    "wrong": (0.0, 1e6, "that of the corruption"),
    "slow": (1.0, 60.0, "[s] between messages"),
    "delayed": (0.5, 60.0, "[s]"),
    "intermittent": (0.5, 1.0, "share lost, 0 to 1"),
    "duplicated": (1.0, 1.0, "share sent twice, 0 to 1"),
    "reordered": (0.5, 1.0, "share overtaken, 0 to 1"),
}


class FaultError(ValueError):
    """A fault that does not exist; the text says what was received and what is valid."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault on a stream of messages.

    `kind` is one of KINDS; `wrong` may name a corruption of the message's type, as in "wrong:black", and `garbage` may
    be "garbage:bytes", which is no message at all. A magnitude of 0 is the kind's default, a duration [s] of 0 lasts
    until the fault is ended.
    """

    kind: str
    detail: str = ""
    magnitude: float = 0.0
    duration: float = 0.0
    seed: int = 0

    @classmethod
    def parse(cls, kind: str, magnitude: float = 0.0, duration: float = 0.0, seed: int = 0) -> Fault:
        """Return the fault that `kind`, "KIND" or "KIND:DETAIL", names; raises FaultError."""
        name, _, detail = kind.partition(":")
        if name not in KINDS:
            raise FaultError(f"kind is {kind!r}; valid: {NONE}, {', '.join(KINDS)}, wrong:CORRUPTION, garbage:bytes")
        if detail and name not in ("wrong", "garbage"):
            raise FaultError(f"kind is {kind!r}; only wrong and garbage take a detail")
        default, most, unit = KINDS[name]
        if not (math.isfinite(magnitude) and 0.0 <= magnitude <= most):
            raise FaultError(f"magnitude of {name} is {magnitude}; valid: 0 (its default) to {most:g}, {unit}")
        if not (math.isfinite(duration) and duration >= 0.0):
            raise FaultError(f"duration is {duration} s; valid: 0 (until it is ended) or more")
        return cls(name, detail, magnitude or default, duration, seed)

    @property
    def name(self) -> str:
        """The kind, with its detail."""
        return f"{self.kind}:{self.detail}" if self.detail else self.kind
