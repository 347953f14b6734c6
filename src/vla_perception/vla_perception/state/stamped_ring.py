# SPDX-License-Identifier: Apache-2.0
"""Recent vectors in the order of their stamps, and what lies around a moment."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

NS_PER_S = 1_000_000_000
CLOCK_JUMP_NS = NS_PER_S
"""A stamp this much older than the newest one means that the clock was set back, not that a message was late."""

MAX_INTERVAL_NS = NS_PER_S // 2
"""Between samples further apart than this nothing is interpolated: the nearer one is used."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """The two samples around a moment (the same one twice when only one side is used) and the way between them."""

    before: FloatArray
    after: FloatArray
    fraction: float  # 0 at before, 1 at after
    gap_s: float  # [s] from the moment to the further of the samples used


class StampedRing:
    """The newest ``capacity`` vectors, sorted by stamp. Late ones are sorted in; a clock set back clears the rest."""

    def __init__(self, capacity: int = 256) -> None:
        self._capacity = capacity
        self._stamps: list[int] = []
        self._values: list[FloatArray] = []

    def __len__(self) -> int:
        return len(self._stamps)

    @property
    def newest_ns(self) -> int | None:
        """Latest stamp [ns], None when empty."""
        return self._stamps[-1] if self._stamps else None

    def clear(self) -> None:
        """Forget everything."""
        self._stamps.clear()
        self._values.clear()

    def insert(self, stamp_ns: int, value: FloatArray) -> bool:
        """Store ``value``; of two with one stamp the later counts. True when a clock jump cleared the ring."""
        jumped = bool(self._stamps) and stamp_ns < self._stamps[-1] - CLOCK_JUMP_NS
        if jumped:
            self.clear()
        index = bisect_left(self._stamps, stamp_ns)
        if index < len(self._stamps) and self._stamps[index] == stamp_ns:
            self._values[index] = value
            return jumped
        self._stamps.insert(index, stamp_ns)
        self._values.insert(index, value)
        if len(self._stamps) > self._capacity:
            del self._stamps[0], self._values[0]
        return jumped

    def bracket(self, stamp_ns: int) -> Bracket | None:
        """The samples around ``stamp_ns``, or the nearest one where one side is missing or too far; None when empty."""
        if not self._stamps:
            return None
        index = bisect_left(self._stamps, stamp_ns)
        if index < len(self._stamps) and self._stamps[index] == stamp_ns:
            return self._single(index, stamp_ns)
        if index in (0, len(self._stamps)):
            return self._single(min(index, len(self._stamps) - 1), stamp_ns)
        before, after = self._stamps[index - 1], self._stamps[index]
        if after - before > MAX_INTERVAL_NS:
            return self._single(index if after - stamp_ns < stamp_ns - before else index - 1, stamp_ns)
        fraction = (stamp_ns - before) / (after - before)
        gap_s = max(stamp_ns - before, after - stamp_ns) / NS_PER_S
        return Bracket(self._values[index - 1], self._values[index], fraction, gap_s)

    def _single(self, index: int, stamp_ns: int) -> Bracket:
        value = self._values[index]
        return Bracket(value, value, 0.0, abs(stamp_ns - self._stamps[index]) / NS_PER_S)
