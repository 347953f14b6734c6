# SPDX-License-Identifier: Apache-2.0
"""Jerk-limited setpoints: one tick at a time towards a moving target, never leaving the limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import ruckig
from vla_core.robot import JointLimits

Array = npt.NDArray[np.float64]

_REST_VELOCITY = 1e-5  # [rad/s]
_REST_ACCELERATION = 1e-3  # [rad/s^2]
_SHARE = 0.999  # of the limits that is used, so that rounding never exceeds them
_GLANCE = 0.02  # [s] of a stop between the places at which it is looked at, or a little less
_MARGIN = 1e-6  # [rad] kept free before a position limit, for rounding


@dataclass(frozen=True, slots=True)
class JointState:
    """Positions [rad], velocities [rad/s] and accelerations [rad/s^2] of the arm's joints, each (n,)."""

    q: Array
    qd: Array
    qdd: Array

    @property
    def at_rest(self) -> bool:
        """Whether nothing moves any more."""
        return bool(np.all(np.abs(self.qd) < _REST_VELOCITY) and np.all(np.abs(self.qdd) < _REST_ACCELERATION))

    def still(self) -> JointState:
        """The same positions, with velocities and accelerations exactly zero."""
        return JointState(self.q, np.zeros_like(self.q), np.zeros_like(self.q))


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

    def start(self, q: Array, qd: Array) -> JointState:
        """State to begin from: where the arm was measured. Limits widen to include it, never further.

        ``qd`` is taken over when the arm is really moving, clipped to the limits.
        """
        limits = self._limits
        moving = np.where(np.abs(qd) > 0.02, np.clip(qd, -0.9 * limits.velocity, 0.9 * limits.velocity), 0.0)
        state = JointState(q.copy(), moving, self._zeros.copy())
        low, high = self._stopping_range(state)
        self._lower = np.minimum(limits.lower, low)
        self._upper = np.maximum(limits.upper, high)
        return state

    def brake(self, state: JointState) -> JointState:
        """One tick of the hardest stop that the limits allow."""
        after = state if state.at_rest else self._advance(self._brake, state) or state
        return after.still() if after is state or after.at_rest else after

    def track(self, state: JointState, wish: JointState, goal: Array) -> JointState:
        """One tick: each joint takes its ``wish`` if it can be reached, else heads for ``goal`` [rad] to stop there.

        A joint that could then no longer stop before its position limits brakes.
        """
        candidate = wish
        allowed = self._reachable(state, wish)
        if not np.all(allowed):
            candidate = _choose(allowed, wish, self._head(state, goal))
        low, high = self._stopping_range(candidate)
        safe = (low >= self._lower) & (high <= self._upper)
        return candidate if np.all(safe) else _choose(safe, candidate, self.brake(state))

    def stop(self, state: JointState) -> tuple[float, Array]:
        """How long the hardest stop from ``state`` takes [s], and joints on the way and at its end (k, n) [rad].

        Among them are the setpoints of that stop, one a tick.
        """
        if state.at_rest or not self._load(self._brake, state):
            return 0.0, state.q[None]
        duration = self._trajectory.duration
        times = [*np.arange(self._glance, duration, self._glance).tolist(), duration]
        return duration, np.array([self._trajectory.at_time(time)[0] for time in times])

    def _reachable(self, state: JointState, wish: JointState) -> npt.NDArray[np.bool_]:
        """Whether a joint can be in the state ``wish`` after one tick, and stay below its top speed after that."""
        limits = self._limits
        coasting = wish.qd + wish.qdd * np.abs(wish.qdd) / (2.0 * limits.jerk)
        mean_speed, mean_push = (wish.q - state.q) / self._dt, (wish.qd - state.qd) / self._dt
        speed = np.max(np.abs((wish.qd, coasting, mean_speed)), axis=0)
        push = np.maximum(np.abs(wish.qdd), np.abs(mean_push))
        jerk_ok = np.abs(wish.qdd - state.qdd) <= _SHARE * limits.jerk * self._dt
        speed_ok, push_ok = speed <= _SHARE * limits.velocity, push <= _SHARE * limits.acceleration
        reachable: npt.NDArray[np.bool_] = jerk_ok & speed_ok & push_ok
        return reachable

    def _head(self, state: JointState, goal: Array) -> JointState:
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

    def _advance(self, parameters: ruckig.InputParameter, state: JointState) -> JointState | None:
        if not self._load(parameters, state):
            return None
        q, qd, qdd = self._trajectory.at_time(self._dt)
        return JointState(np.array(q), np.array(qd), np.array(qdd))

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


def _choose(condition: npt.NDArray[np.bool_], yes: JointState, no: JointState) -> JointState:
    return JointState(*(np.where(condition, a, b) for a, b in ((yes.q, no.q), (yes.qd, no.qd), (yes.qdd, no.qdd))))
