# SPDX-License-Identifier: Apache-2.0
"""Whether the arm follows its setpoints: near its recent setpoints, and moving when they move."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from vla_controller.refusals import Refusal

Array = npt.NDArray[np.float64]

_BEGUN = 0.02  # [rad] of a motion after which the arm must have begun it
_SHARE = 0.2  # of that, of any joint, which counts as begun


class Following:
    """Compares joint states with the setpoints of the last `lag` seconds.

    The arm may be anywhere between those setpoints, and `tolerance` beyond: the allowance is small at rest and grows
    with the speed. An arm that does not even begin to move, because its driver refuses what it is sent, is noticed
    sooner. A hold that follows keeps the setpoint from running ahead of the arm.
    """

    def __init__(self, lag: float, tolerance: float) -> None:
        """Take the time by which the arm may be late [s] and the distance it may be off [rad]."""
        self._lag, self._tolerance = lag, tolerance
        self._told: deque[tuple[float, Array]] = deque()  # when due [s], setpoint (n,) [rad]
        self._base: tuple[Array, Array] | None = None  # setpoint and arm when both stood still; None: it moves since

    def clear(self) -> None:
        """Forget what the arm was told."""
        self._told.clear()
        self._base = None

    def tell(self, due: float, q: Array) -> None:
        """The arm was told to be at `q` (n,) [rad] by `due` [s]."""
        if self._told and due <= self._told[-1][0]:
            self.clear()  # the clock went back
        self._told.append((due, q))

    def check(self, stamp: float, q: Array) -> Refusal | None:
        """Return a refusal when the arm, at `q` (n,) [rad] at `stamp` [s], does not follow."""
        told = self._told
        while len(told) > 1 and told[1][0] <= stamp - self._lag:
            told.popleft()
        if not told:
            return None
        rows = np.array([row for _, row in told])
        low, high = rows.min(axis=0), rows.max(axis=0)
        off = np.maximum(low - q, q - high)
        joint = int(np.argmax(off))
        if off[joint] > self._tolerance:
            text = f"joint {joint + 1} is {off[joint]:.3f} rad off what the last {self._lag} s told it"
            return Refusal("not_following", text)
        return self._begun(low, high, rows[0], q)

    def _begun(self, low: Array, high: Array, before: Array, q: Array) -> Refusal | None:
        """Whether the arm has begun to move; `before` (n,) [rad] is what it was told `lag` ago."""
        if np.array_equal(low, high):
            self._base = (before, q)
        if self._base is None:
            return None
        wanted, moved = np.abs(before - self._base[0]), np.abs(q - self._base[1])
        joint = int(np.argmax(wanted))
        if np.max(moved) > _SHARE * _BEGUN:
            self._base = None  # it moves; from here on it is to be near its setpoints
        elif wanted[joint] >= _BEGUN:
            text = f"joint {joint + 1} was told to move by {wanted[joint]:.3f} rad and stands still"
            return Refusal("not_following", text)
        return None
