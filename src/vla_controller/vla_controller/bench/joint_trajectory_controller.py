# SPDX-License-Identifier: Apache-2.0
"""ros2_control's joint_trajectory_controller, reimplemented: accepted commands, and the splines made of them.

`ros2_controllers` 4.42, position interface, one cycle each millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_controller.motion.motion import JointState, Motion
from vla_controller.motion.stream import Command

Array = npt.NDArray[np.float64]

CYCLE = 0.001  # [s]
_LAST_VELOCITY = float(np.finfo(np.float32).eps)  # [rad/s] that a last point may have


@dataclass(frozen=True, slots=True)
class Receiver:
    """How a controller is configured, and how late its arm is."""

    spline: str = "quintic"  # or "cubic": without the accelerations; "linear": without the velocities as well
    from_desired: bool = False  # interpolate_from_desired_state
    lag: float = 0.015  # [s]


def refusal(command: Command, joints: int, now: float) -> str:
    """Why a controller with default parameters refuses a command that arrives at ``now`` [s]; empty: it takes it."""
    motion = command.motion
    rows = (motion.q, motion.qd, motion.qdd)
    if not len(motion.times):
        return "empty trajectory"
    if any(row.shape != (len(motion.times), joints) for row in rows):
        return "mismatch between joint_names and a point's values"
    if np.any(np.abs(motion.qd[-1]) > _LAST_VELOCITY):
        return "velocity of the last trajectory point is not zero"
    if np.any(np.diff(np.round(motion.times * 1e9)) <= 0.0):
        return "time between points is not strictly increasing"
    if command.timed and command.start + motion.times[-1] < now:
        return "trajectory ends in the past"
    return ""


def play(arrivals: list[tuple[float, Command]], start: Array, until: float, receiver: Receiver) -> Array:
    """Positions (t, n) [rad] commanded each cycle up to ``until`` [s] from the first arrival on.

    ``arrivals``: each with its time [s]; a later one replaces the earlier. The arm begins at rest at ``start`` (n,).
    """
    first = _cycle(arrivals[0][0])
    times = np.arange(first, _cycle(until) + 1, dtype=np.float64) * np.float64(CYCLE)
    states = Motion.standing(JointState(start, 0.0 * start, 0.0 * start), times)
    begins = [_cycle(time) for time, _ in arrivals]
    for (_, command), begin, end in zip(arrivals, begins, [*begins[1:], _cycle(until)], strict=True):
        rows = slice(begin - first, end - first)
        if end > begin:
            knots = _knots(command, states, begin - first, receiver)
            q, qd, qdd = sample(knots, states.times[rows] + CYCLE, receiver.spline)
            states.q[rows], states.qd[rows], states.qdd[rows] = q, qd, qdd
    return states.q[:-1]


def sample(knots: Motion, times: Array, spline: str) -> tuple[Array, Array, Array]:
    """Positions, velocities, accelerations (t, n) at ``times`` (t,) [s] on splines through ``knots``, held after."""
    if len(knots.times) == 1:
        knots = knots.then(knots.shifted(1.0))
    k = np.clip(np.searchsorted(knots.times, times, side="right") - 1, 0, len(knots.times) - 2)
    span = (knots.times[k + 1] - knots.times[k])[:, None]
    s = np.clip((times - knots.times[k])[:, None] / span, 0.0, 1.0)
    a, b = (Motion(span, knots.q[i], knots.qd[i] * span, knots.qdd[i] * span**2) for i in (k, k + 1))
    coefficients = _SPLINES[spline](a, b)
    rows = [np.zeros_like(a.q) for _ in range(3)]
    for power, row in enumerate(coefficients):
        rows[0] += row * s**power
        rows[1] += power * row * s ** max(0, power - 1) / span
        rows[2] += power * (power - 1) * row * s ** max(0, power - 2) / span**2
    over = (times >= knots.times[-1])[:, None]
    return rows[0], np.where(over, knots.qd[-1], rows[1]), np.where(over, knots.qdd[-1], rows[2])


def _knots(command: Command, states: Motion, now: int, receiver: Receiver) -> Motion:
    """What is interpolated from cycle ``now`` on: the points, after the state before them where they are ahead."""
    start = command.start if command.timed else float(states.times[now])
    points = command.motion.shifted(start)
    if points.times[0] <= states.times[now]:
        return points
    back = max(0, now - (1 if receiver.from_desired else 1 + round(receiver.lag / CYCLE)))
    before = states.part(slice(back, back + 1))
    if not receiver.from_desired:  # no arm measures accelerations
        before = Motion(states.times[now : now + 1], before.q, before.qd, 0.0 * before.qdd)
    return before.then(points)


def _linear(a: Motion, b: Motion) -> tuple[Array, ...]:
    return a.q, b.q - a.q


def _cubic(a: Motion, b: Motion) -> tuple[Array, ...]:
    way = b.q - a.q
    return a.q, a.qd, 3.0 * way - 2.0 * a.qd - b.qd, a.qd + b.qd - 2.0 * way


def _quintic(a: Motion, b: Motion) -> tuple[Array, ...]:
    way = b.q - a.q
    third = 10.0 * way - 6.0 * a.qd - 4.0 * b.qd - 1.5 * a.qdd + 0.5 * b.qdd
    fourth = -15.0 * way + 8.0 * a.qd + 7.0 * b.qd + 1.5 * a.qdd - b.qdd
    return a.q, a.qd, 0.5 * a.qdd, third, fourth, 6.0 * way - 3.0 * (a.qd + b.qd) - 0.5 * (a.qdd - b.qdd)


_SPLINES = {"linear": _linear, "cubic": _cubic, "quintic": _quintic}


def _cycle(time: float) -> int:
    return int(np.ceil(time / CYCLE - 1e-6))
