# SPDX-License-Identifier: Apache-2.0
"""What the console counts itself: rates, and the score of the simulator's tasks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WINDOW_S = 2.0  # over which a rate is taken
MOST = 600  # events kept


class Meter:
    """Counts events per second."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MOST)

    def note(self, now: float) -> None:
        """Count an event at `now` [s]."""
        self._times.append(now)

    def age(self, now: float) -> float | None:
        """Return the time since the latest event [s]; None before the first."""
        return now - self._times[-1] if self._times else None

    def rate(self, now: float) -> float:
        """Return the events per second [Hz] of the last WINDOW_S."""
        while self._times and now - self._times[0] > WINDOW_S and len(self._times) > 1:
            self._times.popleft()
        if len(self._times) < 2 or now - self._times[-1] > WINDOW_S:
            return 0.0
        span = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / span if span > 0.0 else 0.0


@dataclass(slots=True)
class Score:
    """How many of the simulator's tasks succeeded since the console began to watch."""

    tasks: int = 0
    successes: int = 0
    _instruction: str = field(default="")
    _elapsed: float = field(default=-1.0)
    _succeeded: bool = field(default=False)

    def note(self, instruction: str, elapsed: float, success: bool) -> None:
        """Take a judgement; a task begins with another text, or when its time runs from the start again."""
        if not instruction:
            return
        if instruction != self._instruction or elapsed < self._elapsed - 0.5:
            self.tasks += 1
            self._succeeded = False
        self._instruction, self._elapsed = instruction, elapsed
        if success and not self._succeeded:
            self._succeeded = True
            self.successes += 1
