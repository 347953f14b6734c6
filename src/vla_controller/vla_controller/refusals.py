# SPDX-License-Identifier: Apache-2.0
"""Counts of what the controller refused or had to change, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done as asked: a stable name and an account for people."""

    name: str
    reason: str


class RefusalLog:
    """How often each kind of refusal occurred, with the latest account."""

    def __init__(self) -> None:
        """Start empty."""
        self._counts: dict[str, tuple[int, str]] = {}

    def add(self, refusal: Refusal) -> Refusal:
        """Count a refusal and hand it back."""
        count, _ = self._counts.get(refusal.name, (0, ""))
        self._counts[refusal.name] = (count + 1, refusal.reason)
        return refusal

    def count(self, name: str) -> int:
        """How often ``name`` occurred."""
        return self._counts.get(name, (0, ""))[0]

    def total(self) -> int:
        """How often anything occurred."""
        return sum(count for count, _ in self._counts.values())

    def entries(self) -> tuple[tuple[str, int, str], ...]:
        """(name, count, latest reason) of every kind that occurred."""
        return tuple((name, count, reason) for name, (count, reason) in self._counts.items())

    def clear(self) -> None:
        """Forget everything."""
        self._counts.clear()
