# SPDX-License-Identifier: Apache-2.0
"""When the steps of a chunk are due: after a fixed latency budget, or one that follows a slow policy.

Step k is due at stamp + budget + k * period. A policy that is fast enough gets the budget of the settings and its own
period. Where the next chunk will come only after this one has ended, both grow: the arm moves more slowly instead of
stopping between chunks. What decides is how long a chunk has to last: from its stamp until the next one arrives.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from vla_controller.settings import ControllerSettings

_WINDOW = 16  # chunks that are remembered
_SHARE = 90.0  # percentile of them that has to be in time
_FALL = 0.3  # [s/s] by which the time falls at most; it rises at once
_TOLERANCE = 0.15  # [s] after a chunk's last step in which the reference waits for the next one: the arm barely slows
_RAMP = 0.15  # [s] over which slowing down sets in
_LEAST_MARGIN = 0.11  # [s] by which the reference is ahead of the arm, and a tick
_MARGIN = 0.125  # of the time: what makes the speed settle fastest when the policy sees its last motion too late


@dataclass(frozen=True, slots=True)
class Timing:
    """Step k is due at the chunk's stamp + `budget` + k * `period`, both [s].

    `from_rest` [s] later for the chunk that begins a motion: the next one was made before the arm moved, and says the
    same again.
    """

    budget: float
    period: float
    from_rest: float = 0.0


class LatencyBudget:
    """Measures the delay of chunks and chooses the timing of each."""

    def __init__(self, settings: ControllerSettings) -> None:
        """Nothing is measured yet."""
        self._adaptive = settings.latency == "adaptive"
        self._least, self._most = settings.latency_budget, settings.latency_budget_most
        self._delays: deque[float] = deque(maxlen=_WINDOW)
        self._lasting: deque[float] = deque(maxlen=_WINDOW)
        self._stamp = self._noted = -np.inf  # of the latest chunk, and when it came
        self._time = 0.0  # [s] that a chunk has to last

    @property
    def most_late(self) -> float | None:
        """Age [s] of a chunk up to which its last step is done although late; None: up to a period after its due."""
        return self._most if self._adaptive else None

    @property
    def delay(self) -> float:
        """Delay [s] from a chunk's stamp to its arrival, the 90th percentile; NaN before the first."""
        return float(np.percentile(self._delays, _SHARE)) if self._delays else float("nan")

    def note(self, stamp: float, now: float, lasts: float) -> None:
        """Take note of a chunk of ``stamp`` [s] that came at ``now`` [s]; of the same one only once.

        ``lasts`` [s] is how long its steps last. A policy that waits longer than that between one chunk and the
        observation of the next one had nothing to look at: such a pause is not its speed.
        """
        if stamp == self._stamp:
            return
        pause = max(0.0, stamp - self._noted - lasts) if np.isfinite(self._noted) else 0.0
        delay, since = now - stamp, now - self._stamp - pause
        self._delays.append(delay)
        if 0.0 < since <= 2.0 * self._most:
            self._lasting.append(since)
        if not self._lasting:  # as of a policy that computes one chunk after the other
            self._time = 2.0 * max(0.0, delay)
        else:
            fallen = self._time - _FALL * max(0.0, now - self._noted) if len(self._lasting) > 1 else 0.0
            self._time = max(float(np.percentile(self._lasting, _SHARE)), fallen)
        self._stamp, self._noted = stamp, now

    def clock_went_back(self) -> None:
        """Forget stamps that now lie in the future."""
        self._stamp = self._noted = -np.inf

    def timing(self, period: float, steps: int) -> Timing:
        """Return the timing of a chunk of ``steps`` steps with ``period`` [s] between them."""
        gap = self._time - self._least - (steps - 1) * period
        if not self._adaptive or gap <= _TOLERANCE:
            return Timing(self._least, period)
        share = min(1.0, (gap - _TOLERANCE) / _RAMP)
        longer = share * (gap + max(_LEAST_MARGIN, _MARGIN * self._time)) / steps
        longer = min(longer, self._most - self._least)
        interval = min(max(0.0, self._time - self.delay), 0.5 * self._most)
        return Timing(self._least + longer, period + longer, share * interval)
