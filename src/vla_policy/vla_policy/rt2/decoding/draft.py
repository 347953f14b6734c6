# SPDX-License-Identifier: Apache-2.0
"""A guess at the next action: the last one. Tokens guessed right cost no pass of their own, and none is ever believed.

The model is run over several guessed tokens at once; what it says itself at each of their positions decides. So the
action is the same with and without a guess, whatever the guess.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEAST = 0.3  # probability that all guesses so far are right, below which a further one is not worth its computation
MEMORY = 0.9  # share of what was known that an action leaves in the rates
UNKNOWN = 0.5  # rate before any action was seen


class Draft:
    """The last action, and how often each of its positions was repeated."""

    def __init__(self, dimensions: int) -> None:
        self._last: list[int] = []
        self._rates = np.full(dimensions, UNKNOWN)

    def ahead(self, index: int) -> list[int]:
        """Bins guessed for the positions `index` and following, as many as are worth it; the last one is never fed."""
        guess: list[int] = []
        right = 1.0
        for token, rate in zip(self._last[index:-1], self._rates[index:-1], strict=False):
            right *= float(rate)
            if right < LEAST:
                break
            guess.append(token)
        return guess

    def learn(self, action: Sequence[int]) -> None:
        """Compare an action (d,) with the guess and keep it as the next one."""
        if self._last:
            repeated = np.equal(self._last, action)
            self._rates = MEMORY * self._rates + (1.0 - MEMORY) * repeated
        self._last = [int(token) for token in action]
