# SPDX-License-Identifier: Apache-2.0
"""Jerk-limited setpoints: one tick at a time towards a moving target, never leaving the limits."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import ruckig
from vla_core.robot import JointLimits

from vla_controller.motion.motion import JointState, Motion

Array = npt.NDArray[np.float64]

_SHARE = 0.999  # of the limits that is used, so that rounding never exceeds them
_GLANCE = 0.02  # [s] interval at which a stopping trajectory is sampled, rounded to a divisor of the tick
_MARGIN = 1e-6  # [rad] kept free before a position limit, for rounding
_PART = 0.01  # [s] at most, between the states of one tick


def parts_of(dt: float) -> Array:
    """Times (k,) [s] after the beginning of a tick of ``dt`` [s] at which its states are told; the last is its end."""
    count = max(1, math.ceil(dt / _PART - 1e-6))
    return dt * np.arange(1, count + 1) / count


class SetpointLimiter:
    """Advances a joint state by one tick under velocity, acceleration, jerk and position limits.

    The invariant: from every state it returns, braking as hard as the limits allow stays inside the position limits.
    A joint whose next state would break it brakes instead. Braking is along the state's own optimal stop, which keeps
    the invariant, so the limits hold for any sequence of targets.
    """

    def __init__(self, limits: JointLimits, dt: float) -> None:
        """``dt`` [s] is the time that one call of a method advances."""
        n = len(limits.lower)
        self._dt = dt
        self._times = parts_of(dt)
        self._glance = dt / math.ceil(dt / _GLANCE - 1e-6)
        self._limits = limits
        self._lower, self._upper = limits.lower.copy(), limits.upper.copy()
        self._otg = ruckig.Ruckig(n)
        self._track, self._brake = ruckig.InputParameter(n), ruckig.InputParameter(n)
        self._trajectory = ruckig.Trajectory(n)
        for parameters in (self._track, self._brake):
            parameters.max_velocity = (_SHARE * limits.velocity).tolist()
            parameters.max_acceleration = (_SHARE * limits.acceleration).tolist()
            parameters.max_jerk = (_SHARE * limits.jerk).tolist()
            parameters.synchronization = ruckig.Synchronization.No
        self._brake.control_interface = ruckig.ControlInterface.Velocity
        self._brake.target_velocity = [0.0] * n
        self._zeros = np.zeros(n)

    def start(self, q: Array) -> JointState:
        """State at rest to begin from: where the arm was measured. Limits widen to include it, never further."""
        self._lower, self._upper = np.minimum(self._limits.lower, q), np.maximum(self._limits.upper, q)
        return JointState(q.copy(), self._zeros.copy(), self._zeros.copy())

    def brake(self, state: JointState) -> Motion:
        """One tick of the hardest stop that the limits allow."""
        motion = None if state.at_rest else self._advance(self._brake, state)
        if motion is None:
            return Motion.standing(state.still(), self._times)
        return motion.ending(motion.end.still()) if motion.end.at_rest else motion

    def track(self, state: JointState, wish: Motion, goal: Array) -> Motion:
        """One tick: each joint takes its ``wish`` if it can be reached, else heads for ``goal`` [rad] to stop there.

        A joint that could then no longer stop before its position limits brakes.
        """
        candidate = wish
        allowed = self._reachable(state, wish)
        if not np.all(allowed):
            candidate = _choose(allowed, wish, self._head(state, goal))
        low, high = self._stopping_range(candidate.end)
        safe = (low >= self._lower) & (high <= self._upper)
        return candidate if np.all(safe) else _choose(safe, candidate, self.brake(state))

    def stop(self, state: JointState) -> Motion:
        """The hardest stop from ``state``, which comes first, to exact rest; its setpoints are among its states."""
        if state.at_rest or not self._load(self._brake, state):
            moves = bool(np.any(state.qd) or np.any(state.qdd))
            motion = Motion.standing(state, np.array([0.0, self._glance] if moves else [0.0]))
            return motion.ending(state.still())
        duration = self._trajectory.duration
        times = np.arange(0.0, duration, self._glance)
        motion = self._sample(np.append(times[times < max(duration - 0.5 * self._glance, _MARGIN)], duration))
        return motion.ending(motion.end.still())

    def coast(self, state: JointState, seconds: float) -> JointState:
        """``state`` after ``seconds`` of the hardest stop."""
        if state.at_rest or not self._load(self._brake, state):
            return state
        end = self._sample(np.array([min(seconds, self._trajectory.duration)])).end
        return end.still() if end.at_rest else end

    def _reachable(self, state: JointState, wish: Motion) -> npt.NDArray[np.bool_]:
        """Whether a joint can go through the states ``wish`` of one tick, and stay below its top speed after that."""
        limits, step = self._limits, self._times[0]
        coasting = wish.qd + wish.qdd * np.abs(wish.qdd) / (2.0 * limits.jerk)
        rows = ((state.q, wish.q), (state.qd, wish.qd), (state.qdd, wish.qdd))
        speed, push, jerk = (np.abs(np.diff(np.vstack(pair), axis=0)) / step for pair in rows)
        speed = np.maximum(speed, np.maximum(np.abs(wish.qd), np.abs(coasting)))
        push = np.maximum(push, np.abs(wish.qdd))
        tops = ((speed, limits.velocity), (push, limits.acceleration), (jerk, limits.jerk))
        reachable: npt.NDArray[np.bool_] = np.all([(row <= _SHARE * top).all(axis=0) for row, top in tops], axis=0)
        return reachable

    def _head(self, state: JointState, goal: Array) -> Motion:
        self._track.target_position = np.clip(goal, self._lower + _MARGIN, self._upper - _MARGIN).tolist()
        return self._advance(self._track, state) or self.brake(state)

    def _load(self, parameters: ruckig.InputParameter, state: JointState) -> bool:
        parameters.current_position = state.q.tolist()
        parameters.current_velocity = state.qd.tolist()
        parameters.current_acceleration = state.qdd.tolist()
        try:
            return self._otg.calculate(parameters, self._trajectory) in (ruckig.Result.Working, ruckig.Result.Finished)
        except ruckig.RuckigError:
            return False

    def _advance(self, parameters: ruckig.InputParameter, state: JointState) -> Motion | None:
        return self._sample(self._times) if self._load(parameters, state) else None

    def _sample(self, times: Array) -> Motion:
        """The loaded trajectory at ``times`` (k,) [s]."""
        rows = np.array([self._trajectory.at_time(time)[:3] for time in times.tolist()])
        return Motion(times, rows[:, 0], rows[:, 1], rows[:, 2])

    def _stopping_range(self, state: JointState) -> tuple[Array, Array]:
        """Lowest and highest position of each joint during the hardest stop from ``state``.

        Not ruckig's own ``position_extrema``: for stops they contain 0 (seen in 0.19.4).
        """
        if not self._load(self._brake, state):
            return np.full_like(state.q, -np.inf), np.full_like(state.q, np.inf)
        end = np.array(self._trajectory.at_time(self._trajectory.duration)[0])
        low, high = np.minimum(state.q, end), np.maximum(state.q, end)
        speed, push, jerk = np.abs(state.qd), np.abs(state.qdd), _SHARE * self._limits.jerk
        turning = (state.qd * state.qdd < 0.0) & (push**2 > 2.0 * jerk * speed)  # too much deceleration to stop in time
        if np.any(turning):
            time = (push - np.sqrt(np.where(turning, push**2 - 2.0 * jerk * speed, 0.0))) / jerk
            way = np.where(turning, speed * time - push * time**2 / 2.0 + jerk * time**3 / 6.0, 0.0)
            peak = state.q + np.sign(state.qd) * way
            low, high = np.minimum(low, peak), np.maximum(high, peak)
        return low, high


def _choose(condition: npt.NDArray[np.bool_], yes: Motion, no: Motion) -> Motion:
    rows = ((yes.q, no.q), (yes.qd, no.qd), (yes.qdd, no.qdd))
    return Motion(yes.times, *(np.where(condition, a, b) for a, b in rows))
