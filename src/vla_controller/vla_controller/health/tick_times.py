# SPDX-License-Identifier: Apache-2.0
"""How regularly the controller ticked and how long it computed, over the last minute."""

from __future__ import annotations

from collections import deque

import numpy as np


class TickTimes:
    """A window of tick periods and compute times, both [s]."""

    def __init__(self, window: int) -> None:
        """Keep the latest ``window`` ticks."""
        self._periods: deque[float] = deque(maxlen=window)
        self._computes: deque[float] = deque(maxlen=window)
        self._last: float | None = None

    def add(self, start: float, compute: float) -> float:
        """Take a tick that started at ``start`` on a monotonic clock; returns the period before it, 0 for the first."""
        period = 0.0 if self._last is None else start - self._last
        if self._last is not None:
            self._periods.append(period)
        self._last = start
        self._computes.append(compute)
        return period

    def summary(self) -> dict[str, float]:
        """Percentiles in milliseconds, by name; empty before the second tick."""
        if not self._periods:
            return {}
        period, compute = 1e3 * np.array(self._periods), 1e3 * np.array(self._computes)
        return {
            "period_ms_p50": float(np.percentile(period, 50)),
            "period_ms_p99": float(np.percentile(period, 99)),
            "period_ms_max": float(period.max()),
            "compute_ms_p50": float(np.percentile(compute, 50)),
            "compute_ms_p99": float(np.percentile(compute, 99)),
        }
