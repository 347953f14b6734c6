# SPDX-License-Identifier: Apache-2.0
"""Commands for an arm that interpolates by itself: each holds what is already promised, the next tick, and a stop.

A receiver that executes points by the command's start time (ros2_control's joint_trajectory_controller) moves along
the same curve whenever a command arrives, as commands agree where they overlap, and comes to rest when none arrives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from vla_core.robot import JointLimits

from vla_controller.motion.motion import Motion
from vla_controller.motion.setpoint import Setpoint

Array = npt.NDArray[np.float64]

LEAD = 0.02  # [s] unless set, from a tick to where its command begins to differ: it must arrive within that
PAST = 0.03  # [s] of the motion before a tick that its command repeats, for a receiver whose clock is behind
_LEAST_LEAD = 0.005  # [s] below which a tick is late: the arm will have begun the stop before the command arrives
_MOST_LEAD = 0.3  # [s] by which commands may run ahead of the clock
_SAME = 1e-9  # [rad], [rad/s] within which a motion continues the one before
_NEAR = 1e-4  # [s] least distance of two points
_EASE = 1.25  # of the time that crossing a gap takes: receivers restart with each command, with one step too much
_UNKNOWN = 0.02  # [rad] by which the arm may be elsewhere than it was promised to be


@dataclass(frozen=True, slots=True)
class Command:
    """States that the arm is to go through."""

    start: float  # [s] on the controller's clock; times of the motion count from it
    motion: Motion  # ends at rest
    fresh: int  # index of the setpoint; earlier states lie on the way to it
    timed: bool = True  # else times count from arrival, and accelerations are left out

    def from_arrival(self, now: float) -> Command:
        """The same for a receiver with another clock, at ``now`` [s]: the setpoint and the stop after it.

        It begins with what it measures, which has no acceleration.
        """
        return Command(0.0, self.motion.part(slice(self.fresh, None)).shifted(self.start - now), 0, timed=False)


class CommandStream:
    """Makes a command of each setpoint; remembers what the arm was promised."""

    def __init__(self, limits: JointLimits, dt: float, lead: float = LEAD) -> None:
        """``dt`` [s] is the time between setpoints, ``lead`` [s] from a tick to where its command begins to differ."""
        self._limits, self._dt, self._lead = limits, dt, lead
        self._promised: Motion | None = None  # in absolute time, with the stop at its end
        self._due = -math.inf  # [s] when the last setpoint is reached
        self._ready = -math.inf  # [s] until which the arm crosses a gap
        self._most_lead = _MOST_LEAD

    def late(self, now: float) -> float:
        """Time [s] for which the arm will have followed the last stop before a command of ``now`` [s] can arrive."""
        if self._promised is None or self._promised.times[-1] <= self._due + _NEAR or now + _LEAST_LEAD <= self._due:
            return 0.0
        return now + self._lead - self._due

    def command(self, setpoint: Setpoint, now: float, late: float = 0.0) -> Command:
        """The command of the tick at ``now`` [s], which begins ``late`` [s] after the setpoint before was reached."""
        ahead = setpoint.ahead
        start, known = self._join(ahead, now, late)
        motion = known.then(ahead.shifted(start))
        fresh = len(known.times) + int(np.searchsorted(ahead.times, self._dt - _SAME))
        first = max(0, int(np.searchsorted(motion.times, now - PAST, side="right")) - 1)
        self._due, self._promised = start + self._dt, motion.part(slice(first, None))
        begin = float(motion.times[first])
        return Command(begin, self._promised.shifted(-begin), fresh - first)

    def _join(self, ahead: Motion, now: float, late: float) -> tuple[float, Motion]:
        """When ``ahead`` begins [s], and the states promised before that."""
        start, promised = self._start(ahead, now, late), self._promised
        if start is None or promised is None:
            self._ready = now + self._lead + self._bridge(ahead)
            self._most_lead = _MOST_LEAD + self._ready - now
            return self._ready, ahead.part(slice(0, 0))
        return start, promised.part(slice(0, int(np.searchsorted(promised.times, start - _NEAR))))

    def _start(self, ahead: Motion, now: float, late: float) -> float | None:
        """When ``ahead`` continues what was promised [s]; None where it does not."""
        promised = self._promised
        if promised is None:
            return None
        k = int(np.searchsorted(promised.times, self._due + late - _NEAR)) if late == 0.0 else -1
        if not np.any(ahead.qd[0]) and not np.any(ahead.qdd[0]) and _meet(promised.q[k], ahead.q[0]):
            return max(now + self._lead, self._ready, _rests_from(promised))  # time has no meaning at rest
        if late > 0.0:
            return self._due + late
        continues = _meet(promised.q[k], ahead.q[0]) and _meet(promised.qd[k], ahead.qd[0])
        return self._due if continues and self._due < now + self._most_lead else None

    def _bridge(self, ahead: Motion) -> float:
        """Time [s] for the arm to come to where ``ahead`` begins, from where it was promised to be or really is."""
        if self._promised is None and np.any(ahead.qd[0]):
            return 0.0
        end = ahead.q[0] if self._promised is None else self._promised.q[-1]
        return bridge_time(np.maximum(_UNKNOWN, np.abs(end - ahead.q[0])), self._limits)


def bridge_time(gap: Array, limits: JointLimits) -> float:
    """Time [s] in which an arm at rest crosses ``gap`` (n,) [rad] by a quintic inside the limits."""
    speed, push = 1.875 * gap / limits.velocity, np.sqrt(5.7736 * gap / limits.acceleration)
    return _EASE * float(np.max((speed, push, np.cbrt(60.0 * gap / limits.jerk))))


def _rests_from(motion: Motion) -> float:
    """Time [s] from which nothing moves any more."""
    moving = np.flatnonzero(np.any(motion.qd != 0.0, axis=1) | np.any(motion.qdd != 0.0, axis=1))
    return float(motion.times[min(moving[-1] + 1, len(motion.times) - 1)]) if len(moving) else -math.inf


def _meet(one: Array, other: Array) -> bool:
    return bool(np.max(np.abs(one - other)) <= _SAME)
