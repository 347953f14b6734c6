# SPDX-License-Identifier: Apache-2.0
"""The measured fingers of the gripper: where they are, whether they move, and how one motion of them ends."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

_WINDOW = 0.15  # [s] over which motion is measured
_STILL = 0.003  # [m/s] travel of one finger below which it stands still
_FRESH = 0.5  # [s] age of a measurement above which the fingers are unknown
_REACHED = 1e-3  # [m] between goal and finger
BEGIN_TIME = 0.4  # [s] in which fingers begin to move after a command


class Fingers:
    """Travel of one finger over time; the other one mirrors it."""

    def __init__(self) -> None:
        """Nothing measured yet."""
        self._rows: deque[tuple[float, float]] = deque()  # time [s], travel [m]

    def update(self, now: float, travel: float) -> None:
        """Take a measurement [m] at `now` [s]; one that is not finite is dropped."""
        if not math.isfinite(travel):
            return
        if self._rows and now < self._rows[-1][0]:
            self._rows.clear()
        self._rows.append((now, travel))
        while len(self._rows) > 2 and self._rows[1][0] <= now - _WINDOW:
            self._rows.popleft()

    def travel(self, now: float) -> float | None:
        """Return the latest travel [m]; None without one of the last half second."""
        return self._rows[-1][1] if self._rows and now - self._rows[-1][0] <= _FRESH else None

    def moving(self, now: float) -> bool:
        """Return whether the fingers moved lately."""
        if self.travel(now) is None or len(self._rows) < 2:
            return False
        (begin, first), (end, last) = self._rows[0], self._rows[-1]
        return abs(last - first) > _STILL * max(_WINDOW, end - begin)


@dataclass(frozen=True, slots=True)
class FingerOutcome:
    """How a motion of the fingers ended; neither flag: it was given up."""

    text: str
    reached: bool = False
    stalled: bool = False
    cancelled: bool = False


@dataclass(slots=True)
class FingerRun:
    """One motion of the fingers to a goal. Ends once: the first outcome stays."""

    goal: float  # [m] travel of one finger
    begun: float  # [s]
    patience: float  # [s] that the whole way takes at most
    outcome: FingerOutcome | None = None

    def end(self, outcome: FingerOutcome) -> None:
        """End the motion, unless it has ended."""
        self.outcome = self.outcome or outcome

    def judge(self, fingers: Fingers, now: float) -> None:
        """End the motion when the fingers are there, stand still on the way, or cannot be seen for too long."""
        travel, passed = fingers.travel(now), now - self.begun
        if travel is None:
            if passed > self.patience + 1.0:
                self.end(FingerOutcome("the joint states do not show the fingers"))
        elif fingers.moving(now):
            if passed > self.patience + 1.0:
                self.end(FingerOutcome(f"still moving after {passed:.1f} s"))
        elif abs(travel - self.goal) <= _REACHED:
            self.end(FingerOutcome("reached", reached=True))
        elif passed > BEGIN_TIME:
            self.end(FingerOutcome(f"stalled at {travel:.4f} m", stalled=True))
