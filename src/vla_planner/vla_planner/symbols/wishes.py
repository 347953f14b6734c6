# SPDX-License-Identifier: Apache-2.0
"""What a sentence wishes, before it is known what is on the table."""

from __future__ import annotations

from dataclasses import dataclass

GATHER = "gather"  # besides the families of the vocabulary


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects: named ones, or all but some, or one that is not named (`vague`)."""

    names: tuple[str, ...] = ()
    everything: bool = False
    but: tuple[str, ...] = ()
    vague: bool = False

    def resolve(self, movable: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names among those that are there; named ones whether they are there or not."""
        if self.everything:
            return tuple(name for name in movable if name not in self.but)
        return tuple(name for name in self.names if name not in self.but)


@dataclass(frozen=True, slots=True)
class Wish:
    """A family of the vocabulary, or GATHER; its objects; its target (an object, a side, or empty)."""

    family: str
    objects: Selection
    target: str = ""


Stage = tuple[Wish, ...]  # to be reached together, in any order
