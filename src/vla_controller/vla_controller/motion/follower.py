# SPDX-License-Identifier: Apache-2.0
"""Leads the arm along the planner's path: smoothed, inside the limits, and only where it can still stop in time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from vla_core.robot import RobotConfig
from vla_core.rotation import Pose, rotation_between

from vla_controller.arm.kinematics import Kinematics
from vla_controller.arm.workspace import Workspace
from vla_controller.motion.limiter import SetpointLimiter
from vla_controller.motion.motion import JointState, Motion
from vla_controller.motion.smoothing import ReferenceFilter
from vla_controller.motion.stop_guard import StopGuard
from vla_controller.path.planner import Planner
from vla_controller.refusals import Refusal

Array = npt.NDArray[np.float64]

_TOP_SPEED_SHARE = 0.95  # that the reference may ask for
_SETTLE_TIME = 1.0  # [s] after a path's end, at most, to reach it
_SETTLED = 1e-4  # [rad], [rad/s] within which a path counts as done


@dataclass(frozen=True, slots=True)
class Advance:
    """Where the arm goes in one tick, the stop after it, and what that means for the path."""

    way: Motion
    stop: Motion
    hindrance: Refusal | None = None  # why the arm brakes instead of following
    done: bool = False  # the path's end is reached, or was not in time


class Follower:
    """One tick at a time; remembers what was wanted, for the status."""

    def __init__(self, config: RobotConfig, kinematics: Kinematics, smoothing: float, dt: float) -> None:
        """``smoothing`` [s] of the reference, ``dt`` [s] between ticks."""
        limits = config.limits
        self._limiter = SetpointLimiter(limits, dt)
        self._kinematics, self._limits = kinematics, limits
        self._guard = StopGuard(kinematics, Workspace.of(config), dt)
        self._filter = ReferenceFilter(smoothing, dt)
        self._reach = _TOP_SPEED_SHARE * limits.velocity * dt
        self._smoothing, self._dt = smoothing, dt
        self._wanted: deque[tuple[float, Array]] = deque(maxlen=256)

    def start(self, q: Array) -> JointState:
        """State of an arm that was found standing at ``q`` (n,) [rad]."""
        self._guard.start(q)
        return self._limiter.start(q)

    def begin(self, state: JointState) -> None:
        """A path begins at ``state``."""
        self._filter.start(state.q)

    def begin_moving(self, state: JointState) -> tuple[Pose, Array]:
        """A path begins that goes on from ``state`` at its speed.

        Returns:
            pose of the tool where the path begins, and its velocity (6,) [m/s, rad/s].
        """
        ahead = np.clip(state.q + self._smoothing * state.qd, self._limits.lower, self._limits.upper)
        self._filter.start(ahead)
        here, there = self._kinematics.fk(state.q), self._kinematics.fk(ahead)
        turned = rotation_between(here.quaternion, there.quaternion)
        return there, np.concatenate((there.position - here.position, turned)) / self._smoothing

    def forget(self) -> None:
        """What was wanted does not count any more."""
        self._wanted.clear()

    def brake(self, state: JointState) -> Advance:
        """One tick of the hardest stop that the limits allow."""
        way = self._limiter.brake(state)
        return Advance(way, self._limiter.stop(way.end))

    def coast(self, state: JointState, seconds: float) -> JointState:
        """Where the arm is when ``seconds`` of the hardest stop from ``state`` have passed."""
        return self._limiter.coast(state, seconds)

    def advance(self, state: JointState, planner: Planner, now: float) -> Advance:
        """One tick along the planner's path, from ``state`` at ``now`` [s]."""
        end, ahead = planner.end, now + self._dt + self._smoothing
        target = planner.target(ahead, self._dt, self._filter.input, self._reach)
        self._wanted.append((ahead, target))
        wish, over = self._filter.step(state, target), now >= end and planner.over
        if over and np.max(np.abs(wish.q[-1] - target)) < _SETTLED and np.max(np.abs(wish.qd[-1])) < _SETTLED:
            wish = wish.ending(JointState(target, np.zeros_like(target), np.zeros_like(target)))
        way = self._limiter.track(state, wish, target)
        if way.end.at_rest and now + 2.0 * self._dt > planner.rest_by + 1e-6:  # the next tick would be too late for it
            way = way.ending(way.end.still())
        stop = self._limiter.stop(way.end)
        hindrance = self._guard.check(state, stop, now, planner.rest_by, planner.boxed)
        if hindrance is not None:
            return replace(self.brake(state), hindrance=hindrance)
        arrived = way.end.at_rest and bool(np.max(np.abs(way.q[-1] - target)) < _SETTLED)
        return Advance(way, stop, done=over and (arrived or now - end > _SETTLE_TIME))

    def wanted(self, time: float, otherwise: Array) -> Array:
        """Where the path wanted the joints (n,) [rad] at ``time`` [s]; ``otherwise`` without one."""
        while len(self._wanted) > 1 and self._wanted[1][0] <= time + 1e-9:
            self._wanted.popleft()
        return self._wanted[0][1] if self._wanted and self._wanted[0][0] <= time + 1e-9 else otherwise
