# SPDX-License-Identifier: Apache-2.0
"""Joint states that lie, beside the true ones or in their place, and what the setpoints must do then."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from vla_controller.bench.rig import Bench, Violation

Array = npt.NDArray[np.float64]
Generator = np.random.Generator

_RATES = (20.0, 100.0, 200.0)  # [Hz] of an arm's driver
_FALSE_RATES = (2.0, 5.0, 10.0, 20.0, 60.0, 100.0, 200.0)
_DURATIONS = (0.001, 0.02, 0.1, 0.3, 1.0, 3.0, 60.0)  # [s] of a falsehood
_PAUSES = (0.05, 0.3, 1.0, 2.5)  # [s] between two
_HELD = 0.5  # [s] after the second false joint state in which the arm must be at rest
_MEMORY = 1.9  # [s] in which two joint states that no arm can follow each other with are a reason to hold
_LEAST_START = 0.4  # [s] for which a posture was told before setpoints begin there
_CLEAR = (0.2, 0.8)  # [rad], and [s] of top speed, from the truth, from which a joint state is beyond any doubt false


def _zeros(sensor: FalseStates, q: Array) -> Array:
    return np.zeros(len(q))


def _posture(sensor: FalseStates, q: Array) -> Array:
    return sensor.elsewhere


def _one_joint(sensor: FalseStates, q: Array) -> Array:
    return np.asarray(q + sensor.offset * np.eye(len(q))[sensor.joint])


def _swapped(sensor: FalseStates, q: Array) -> Array:
    order = np.arange(len(q))
    order[[sensor.joint, sensor.joint - 1]] = order[[sensor.joint - 1, sensor.joint]]
    return q[order]


def _turned(sensor: FalseStates, q: Array) -> Array:
    return np.full(len(q), -np.pi)


def _frozen(sensor: FalseStates, q: Array) -> Array:
    return sensor.before


def _no_number(sensor: FalseStates, q: Array) -> Array:
    return np.where(np.arange(len(q)) == sensor.joint, np.nan, q)


def _degrees(sensor: FalseStates, q: Array) -> Array:
    return np.degrees(q)


def _delayed(sensor: FalseStates, q: Array) -> Array:
    return sensor.past[max(0, len(sensor.past) - 1 - sensor.lag)]


def _drift(sensor: FalseStates, q: Array) -> Array:
    grown = (sensor.bench.elapsed - sensor.begin) * sensor.offset
    return np.asarray(q + grown * np.eye(len(q))[sensor.joint])


def _noise(sensor: FalseStates, q: Array) -> Array:
    return np.asarray(q + sensor.rng.uniform(-1.0, 1.0, len(q)) * abs(sensor.offset))


KINDS: dict[str, Callable[[FalseStates, Array], Array]] = {
    "zeros": _zeros,
    "posture": _posture,
    "one_joint": _one_joint,
    "swapped": _swapped,
    "minus_pi": _turned,
    "frozen": _frozen,
    "nan": _no_number,
    "degrees": _degrees,
    "delayed": _delayed,
    "drift": _drift,
    "noise": _noise,
}


class FalseStates:
    """In the place of the bench's own joint states: true ones at a driver's rate, false ones of one kind at times."""

    def __init__(self, bench: Bench, rng: Generator, kind: str = "", at_start: bool = False) -> None:
        """``kind`` one of KINDS; empty: by chance. ``at_start``: before the first setpoint too."""
        self.bench, self.rng, limits = bench, rng, bench.controller.config.limits
        self.kind = kind or str(rng.choice(list(KINDS)))
        self.joint, self.lag = int(rng.integers(0, len(bench.q))), int(rng.integers(1, 12))
        self.offset = float(rng.choice([-1.5, -0.5, -0.2, 0.2, 0.5, 1.5]))
        self.elsewhere = rng.uniform(limits.lower, limits.upper)
        self._rate, self._false_rate = float(rng.choice(_RATES)), float(rng.choice(_FALSE_RATES))
        self._beside = bool(rng.random() < 0.5)
        self.begin = bench.elapsed + (0.0 if at_start else float(rng.uniform(0.1, 1.5)))
        self._end = self.begin + float(rng.choice(_DURATIONS))
        self.before, self.past = bench.q, [bench.q]
        self._next, self._next_false = bench.elapsed, self.begin
        self.told: list[tuple[float, Array]] = []  # elapsed [s] and joints, as the controller was given them
        self.clear: list[float] = []  # [s] elapsed at joint states that are beyond any doubt false
        self.confirmed = -np.inf  # [s] elapsed when a person last said that the arm stands where it is shown
        self._clear_off = _CLEAR[0] + _CLEAR[1] * limits.velocity
        bench.sense = self.sense

    def sense(self) -> None:
        """Joint states of one tick, in the order of their times."""
        bench, since = self.bench, self.bench.elapsed - self.bench.dt
        if bench.elapsed < self.begin:
            self.before = bench.q
        if bench.elapsed > self._end:
            self.begin = self._next_false = bench.elapsed + float(self.rng.choice(_PAUSES))
            self._end = self.begin + float(self.rng.choice(_DURATIONS))
        events: list[tuple[float, bool]] = []
        while self._next <= bench.elapsed + 1e-9:
            lying = self.begin <= self._next <= self._end
            events += [] if lying and not self._beside else [(self._next, False)]
            self._next += 1.0 / self._rate
        while self._next_false <= bench.elapsed + 1e-9 and self._next_false <= self._end:
            events.append((self._next_false, True))
            self._next_false += 1.0 / self._false_rate
        for time, false in sorted(events):
            share = min(1.0, max(0.0, (time - since) / bench.dt))
            self._tell(time, self.past[-1] + share * (bench.q - self.past[-1]), false)
        self.past.append(bench.q)

    def _tell(self, time: float, q: Array, false: bool) -> None:
        told = KINDS[self.kind](self, q) if false else q
        if false and self.kind != "drift" and not np.all(np.abs(told - q) <= self._clear_off):
            self.clear.append(time)
        self.told.append((time, told))
        stamp = self.bench.now - (self.bench.elapsed - time)
        self.bench.controller.update_joint_state(stamp, told, np.zeros(len(q)))

    @property
    def honest(self) -> bool:
        """Whether the latest joint state was true."""
        return bool(self.told) and bool(np.max(np.abs(self.told[-1][1] - self.bench.q)) < 0.1)

    def account(self) -> list[Violation]:
        """Promises that the setpoints broke towards joint states."""
        return [*self._moved_in_doubt(), *self._wrong_start()]

    def _moved_in_doubt(self) -> list[Violation]:
        """After two joint states that are beyond doubt false the arm rests until they have agreed for long enough."""
        rows = self.bench.setpoints
        moving = [row.stamp for row in rows if np.any(row.qd)]
        agreement, dt = self.bench.controller.settings.posture_agreement, self.bench.dt
        since = max(self.confirmed, rows[0].stamp + _HELD) if rows else np.inf
        seconds = [b for a, b in pairwise(self.clear) if b - a < _MEMORY and a > since]
        late = [(t, b) for b in seconds for t in moving if b + _HELD + 2.0 * dt < t < b + agreement]
        if not late:
            return []
        moved, lied = late[0]
        return [Violation("doubt", f"{self.kind}: moved at {moved:.2f} s; joint states lied at {lied:.2f} s")]

    def _wrong_start(self) -> list[Violation]:
        """Setpoints begin at rest, where the arm was told to stand for a while, and never at zeros."""
        first, wanted = self.bench.setpoints[0] if self.bench.setpoints else None, _LEAST_START
        if first is None or first.stamp == 0.0:
            return []
        same = [t for t, q in self.told if t <= first.stamp + 1e-6 and np.max(np.abs(q - first.q)) < 0.05]
        if len(same) >= 3 and same[-1] - same[0] > wanted and first.q.any() and not first.qd.any():
            return []
        return [Violation("start", f"{self.kind}: began at {first.q.round(3).tolist()} rad, {first.stamp:.2f} s")]
