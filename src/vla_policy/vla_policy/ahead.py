# SPDX-License-Identifier: Apache-2.0
"""What is still to be done of the last chunk while the next one is computed, for policies that continue from it.

Real-time chunking and its like hold fixed what will be executed before the new chunk arrives, and blend after that.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from vla_core.action import ActionChunk, ActionStep

_WINDOW = 10  # inferences whose delay is remembered


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """The last chunk that was sent, and how far it will be done.

    chunk: as it was sent, with the observed state that its deltas are relative to, where the policy set it; first:
    index of its first step that is not due yet at the observation's stamp; delay_s: expected time from that stamp to
    the arrival of the new chunk [s]; delay_steps: steps from `first` on that are due before that arrival.
    """

    chunk: ActionChunk
    first: int
    delay_s: float
    delay_steps: int

    @property
    def left(self) -> tuple[ActionStep, ...]:
        """The steps that are not due yet; deltas lead from the step before."""
        return self.chunk.steps[self.first :]


class Leftovers:
    """Remembers the last chunk and how long inference takes. Step k is due at stamp + budget + k * period."""

    def __init__(self, budget_s: float) -> None:
        """budget_s: the controller's latency budget [s]."""
        self._budget_s = budget_s
        self._chunk: ActionChunk | None = None
        self._delays: deque[float] = deque(maxlen=_WINDOW)

    def sent(self, chunk: ActionChunk, now: float) -> None:
        """Take note of a chunk that was sent at `now` [s]."""
        self._chunk = chunk
        self._delays.append(max(0.0, now - chunk.stamp))

    def forget(self) -> None:
        """Forget the chunk: the task is another one, or time went back. Delays are the policy's and stay."""
        self._chunk = None

    def ahead(self, stamp: float) -> Ahead | None:
        """Return what is ahead of an observation of `stamp` [s]; None where nothing is left."""
        chunk = self._chunk
        if chunk is None or not chunk.stamp < stamp:
            return None
        begin, count, delay_s = chunk.stamp + self._budget_s, _length(chunk), max(self._delays)
        first = _steps_before(stamp - begin, chunk.period)
        if first >= count:
            return None
        done = _steps_before(stamp + delay_s - begin, chunk.period)
        return Ahead(chunk, first, delay_s, min(done, count) - first)


def _steps_before(seconds: float, period: float) -> int:
    """Number of steps due in the first `seconds` [s], the first of them at 0."""
    return max(0, math.ceil(seconds / period - 1e-9))


def _length(chunk: ActionChunk) -> int:
    """Number of steps up to the first that terminates."""
    return next((k + 1 for k, step in enumerate(chunk.steps) if step.terminate), len(chunk.steps))
