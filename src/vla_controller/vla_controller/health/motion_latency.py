# SPDX-License-Identifier: Apache-2.0
"""From the camera to motion: inference, arrival, setpoint, and the arm's answer, for every chunk, against a budget.

The arm's answer is the delay by which its measured joints follow the setpoints: the one at which the two curves of the
joint that moves most fit best, counted from the sending. It is only known while the arm moves.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

WINDOW = 1.5  # [s] of motion that a delay is taken from
_LEAST_MOTION = 0.02  # [rad] of one joint in the window
_LONGEST = 0.5  # [s] of delay that is looked for
_STEP = 0.02  # [s] between the delays tried; the best is refined between them
_SPACING = 0.018  # [s] between measured joints that are kept
_BESIDE = 5  # steps beside the best delay at which the fit has to be clearly worse
_WORSE, _LEAST_ERROR = 4.0, 1e-7  # by this factor, and by this much [rad^2]


@dataclass(frozen=True, slots=True)
class ChunkLatency:
    """Of one chunk: times [s] since its image was captured; NaN where not known (yet)."""

    sequence: int
    stamp: float  # [s] capture of the image
    inference: float  # duration of the policy's computation
    arrival: float
    setpoint: float = math.nan  # first setpoint that follows it was sent
    motion: float = math.nan  # the arm's joints followed that setpoint


class MotionLatency:
    """Latencies of the latest chunks."""

    def __init__(self, window: int = 256) -> None:
        """Keep ``window`` chunks."""
        self._chunks: deque[ChunkLatency] = deque(maxlen=window)
        self._sent: deque[tuple[float, Array]] = deque(maxlen=512)
        self._measured: deque[tuple[float, Array]] = deque(maxlen=512)
        self.response = math.nan  # [s] by which the arm last followed its setpoints

    def add_chunk(self, sequence: int, stamp: float, inference: float, now: float) -> None:
        """A chunk was accepted at ``now`` [s]; ``inference`` [s] is what the policy says it took."""
        self._chunks.append(ChunkLatency(sequence, stamp, inference, now - stamp))

    def add_setpoint(self, now: float, q: Array) -> None:
        """Joints ``q`` (n,) [rad] were sent at ``now`` [s]."""
        self._sent.append((now, q))
        if self._chunks and math.isnan(self._chunks[-1].setpoint):
            self._chunks[-1] = replace(self._chunks[-1], setpoint=now - self._chunks[-1].stamp)

    def add_measured(self, stamp: float, q: Array) -> None:
        """Joints ``q`` (n,) [rad] were measured at ``stamp`` [s]."""
        if not self._measured or stamp - self._measured[-1][0] >= _SPACING:
            self._measured.append((stamp, q))

    def update(self, now: float) -> None:
        """Find the arm's delay over the last WINDOW, and with it the motion latency of the chunks in it."""
        delay = response_delay(self._recent(self._sent, now), self._recent(self._measured, now))
        if math.isnan(delay):
            return
        self.response = delay
        for k in range(len(self._chunks) - 1, -1, -1):
            chunk = self._chunks[k]
            if now - chunk.stamp > 2.0 * WINDOW:
                break
            if math.isnan(chunk.motion) and not math.isnan(chunk.setpoint):
                self._chunks[k] = replace(chunk, motion=chunk.setpoint + delay)

    def summary(self) -> dict[str, float]:
        """Percentiles [ms] by name, of what is known."""
        values: dict[str, float] = {}
        for name in ("inference", "arrival", "setpoint", "motion"):
            known = [1e3 * getattr(chunk, name) for chunk in self._chunks]
            known = [value for value in known if math.isfinite(value)]
            if known:
                middle, worst = np.percentile(known, (50, 99)).tolist()
                values[f"{name}_ms_p50"], values[f"{name}_ms_p99"] = middle, worst
        if math.isfinite(self.response):
            values["response_ms"] = 1e3 * self.response
        return values

    @staticmethod
    def _recent(rows: deque[tuple[float, Array]], now: float) -> list[tuple[float, Array]]:
        return [row for row in rows if now - WINDOW - _LONGEST <= row[0] <= now]


def response_delay(sent: list[tuple[float, Array]], measured: list[tuple[float, Array]]) -> float:
    """Delay [s] of ``measured`` behind ``sent``, both (time [s], joints (n,) [rad]) in order.

    NaN without motion, and for motion at one speed: a delay and an offset of the arm then look the same.
    """
    if len(sent) < 4 or len(measured) < 8:
        return math.nan
    times, joints = np.array([t for t, _ in sent]), np.array([q for _, q in sent])
    begin = times[0] + _LONGEST
    seen = [(t, q) for t, q in measured if t >= begin]
    moved = np.ptp(joints[times >= begin - _STEP], axis=0) if np.any(times >= begin) else np.zeros(joints.shape[1])
    most = int(np.argmax(moved))
    if len(seen) < 8 or moved[most] < _LEAST_MOTION:
        return math.nan
    wanted, when = joints[:, most], np.array([t for t, _ in seen])
    answer = np.array([q[most] for _, q in seen])
    delays = np.arange(0.0, _LONGEST + 1e-9, _STEP)
    errors = np.interp(when - delays[:, None], times, wanted) - answer
    errors = np.var(errors, axis=1)
    best = int(np.argmin(errors))
    beside = [errors[k] for k in (best - _BESIDE, best + _BESIDE) if 0 <= k < len(errors)]
    if min(beside) < _WORSE * errors[best] + _LEAST_ERROR:
        return math.nan
    if 0 < best < len(delays) - 1:
        a, b, c = errors[best - 1 : best + 2]
        return float(delays[best] + 0.5 * _STEP * (a - c) / max(a - 2.0 * b + c, 1e-18))
    return float(delays[best])
