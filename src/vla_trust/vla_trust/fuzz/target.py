# SPDX-License-Identifier: Apache-2.0
"""One reader of untrusted input: valid examples of its input, and the errors by which it refuses the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from vla_trust.fuzz.mutate import Mutator


class PromiseError(AssertionError):
    """Input that was accepted led to a result that breaks a promise; the text names it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A reader of one kind of input.

    examples: makes valid inputs, which are mutated; read: takes an input and raises one of `refuses` for an invalid
    one, PromiseError where it accepts what it must not; mutate: returns a changed copy of an input; None: by its type
    (bytes, text or plain data).
    """

    name: str
    examples: Callable[[], Sequence[Any]]
    read: Callable[[Any], object]
    refuses: tuple[type[BaseException], ...]
    mutate: Callable[[Mutator, Any], Any] | None = field(default=None)
    accepted_first: bool = True  # every example is accepted unchanged

    def mutated(self, mutator: Mutator, example: Any) -> Any:
        """Return a changed copy of an example."""
        if self.mutate is not None:
            return self.mutate(mutator, example)
        if isinstance(example, bytes):
            return mutator.bytes(example)
        return mutator.text(example) if isinstance(example, str) else mutator.data(example)
