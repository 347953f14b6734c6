# SPDX-License-Identifier: Apache-2.0
"""Whether the arm's clock agrees with the controller's, by the stamps of its joint states."""

from __future__ import annotations

import math
from collections import deque

TRANSPORT = 0.01  # [s] of the commands' lead that their way to the arm may take
BEHIND = 0.03  # [s] by which the arm's clock may be behind, transport of the joint states included: stream.PAST
_WINDOW = 3.0  # [s]


class ArmClock:
    """The least age of the latest joint states: transport, which is short, and the difference of the clocks."""

    def __init__(self, lead: float = 0.02) -> None:
        """Nothing is known; ``lead`` [s] is the settings' ``command_lead``."""
        self._ahead = lead - TRANSPORT  # [s] by which the arm's clock may be ahead
        self._ages: deque[tuple[float, float]] = deque()  # when received [s], age [s]; ages increase

    def add(self, stamp: float, now: float) -> None:
        """A joint state of ``stamp`` [s] was received at ``now`` [s]; stamp 0 says nothing."""
        if stamp <= 0.0:
            return
        ages = self._ages
        while ages and (ages[0][0] < now - _WINDOW or ages[0][0] > now):
            ages.popleft()
        while ages and ages[-1][1] >= now - stamp:
            ages.pop()
        ages.append((now, now - stamp))

    @property
    def offset(self) -> float:
        """Time [s] by which the arm's clock is behind, at most; NaN without stamps."""
        return self._ages[0][1] if self._ages else math.nan

    @property
    def agrees(self) -> bool:
        """Whether times on this clock mean the same to the arm."""
        return -self._ahead <= self.offset <= BEHIND
