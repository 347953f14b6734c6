# SPDX-License-Identifier: Apache-2.0
"""From joint trajectories to the velocities or positions that an arm is to have next. No ROS; time is passed in."""

from __future__ import annotations

import threading
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vla_core.robot import JointLimits
from vla_core.trajectory.spline import JointSpline, TrajectoryPoint

Array = NDArray[np.float64]
SLOW = 0.2  # [rad/s] outwards beyond the suggested range
BRAKING_RATE = 5.0  # [1/s] outward velocity over the distance to the stop


class StartError(ValueError):
    """A trajectory whose present is too far from where the arm is: following it would be a leap."""

    name = "too_far"


class DeviationError(RuntimeError):
    """The arm is too far from the trajectory that it follows."""

    name = "deviation"


@dataclass(frozen=True, slots=True)
class VelocityBounds:
    """What the joints may do, each (n,): inside `lower` .. `upper` up to `velocity`, towards the stops ever slower."""

    lower: Array  # [rad] suggested range
    upper: Array
    stop_lower: Array  # [rad] the arm's own stops
    stop_upper: Array
    velocity: Array  # [rad/s]

    def clip(self, velocity: Array, position: Array) -> Array:
        """Return `velocity` within the bounds at `position`, joint by joint."""
        above = np.where(
            position < self.upper,
            self.velocity,
            np.minimum(SLOW, BRAKING_RATE * np.maximum(self.stop_upper - position, 0.0)),
        )
        below = np.where(
            position > self.lower,
            self.velocity,
            np.minimum(SLOW, BRAKING_RATE * np.maximum(position - self.stop_lower, 0.0)),
        )
        return np.clip(velocity, -below, above)


class TrajectoryStream:
    """Holds the latest trajectory that was joined where the arm is. Every method may be called from any thread."""

    def __init__(self, tolerance: float, linger: float) -> None:
        """Begin at rest.

        Args:
            tolerance: largest distance between arm and trajectory, in each joint [rad].
            linger: time at the end of a trajectory during which it is still followed [s].
        """
        self._tolerance, self._linger = tolerance, linger
        self._spline: JointSpline | None = None
        self._lock = threading.Lock()

    def hold(self) -> None:
        """Forget what is followed; the next trajectory begins at rest."""
        with self._lock:
            self._spline = None

    def is_active(self, now: float) -> bool:
        """Whether there is something to follow at `now` [s]."""
        with self._lock:
            return self._is_active(now)

    def _is_active(self, now: float) -> bool:
        return self._spline is not None and now <= self._spline.end + self._linger

    def follow(self, now: float, points: tuple[TrajectoryPoint, ...], measured: Array) -> None:
        """Follow checked points from `now` [s] on; none stops the arm where it is to be now.

        Args:
            now: the present.
            points: as `check_trajectory` returns them.
            measured: position of the joints (n,) [rad].

        Raises:
            StartError: the trajectory's present is more than the tolerance away; the one before is followed on.
        """
        with self._lock:
            active = self._is_active(now)
            if not points and not active:
                return
            assert not active or self._spline is not None
            spline = copy(self._spline) if active and self._spline is not None else JointSpline(measured)
            spline.follow(now, points)
            gap = np.abs(spline.sample(now)[0] - measured)
            if gap.max() > self._tolerance:
                joint = int(gap.argmax())
                raise StartError(
                    f"the trajectory is {gap[joint]:.3f} rad away from joint {joint + 1} now; valid: up to "
                    f"{self._tolerance:g} rad"
                )
            self._spline = spline

    def _check_near(self, error: Array) -> None:
        """Raise DeviationError and follow nothing more where a joint's `error` (n,) [rad] is too large."""
        worst = int(np.abs(error).argmax())
        if abs(error[worst]) > 2.0 * self._tolerance:
            self._spline = None
            raise DeviationError(
                f"joint {worst + 1} is {abs(error[worst]):.3f} rad away from its trajectory; valid: up to "
                f"{2.0 * self._tolerance:g} rad"
            )


class PositionStream(TrajectoryStream):
    """Follows the latest trajectory with positions, for arms whose joints have position controllers of their own."""

    def __init__(self, limits: JointLimits, tolerance: float = 0.1, lag: float = 0.1) -> None:
        """Begin at rest.

        Args:
            limits: positions and velocities that may be asked for.
            tolerance: largest distance between arm and trajectory at its start; twice this later [rad].
            lag: time by which the arm may be late behind its positions [s].
        """
        super().__init__(tolerance, linger=0.3)
        self._limits, self._lag = limits, lag
        self._before: tuple[float, Array] | None = None

    def goal(self, now: float, ahead: float, measured: Array) -> Array | None:
        """Return the positions (n,) [rad] to be at `ahead` [s] after `now`, or None where nothing is followed.

        Raises:
            DeviationError: the arm is too far away; nothing is followed any more.
        """
        with self._lock:
            if not self._is_active(now):
                self._spline = self._before = None
                return None
            assert self._spline is not None
            due, _ = self._spline.sample(now)
            late, _ = self._spline.sample(now - self._lag)
            error = np.maximum(np.minimum(due, late) - measured, measured - np.maximum(due, late))
            self._check_near(np.maximum(error, 0.0))
            position, _ = self._spline.sample(now + ahead)
            since, before = self._before or (now - ahead, measured)
            reach = self._limits.velocity * max(now - since, ahead)
            position = np.clip(position, before - reach, before + reach)
            position = np.clip(position, self._limits.lower, self._limits.upper)
            self._before = (now, position)
            return position


class VelocityStream(TrajectoryStream):
    """Follows the latest trajectory with velocities: its own, plus `gain` times the error of the position.

    When no trajectory comes any more, the latest is followed to its end and there are no velocities after `linger`
    seconds of rest: the arm then holds by itself.
    """

    def __init__(
        self,
        bounds: VelocityBounds,
        gain: float = 3.0,
        lead: float = 0.015,
        tolerance: float = 0.1,
        linger: float = 0.3,
    ) -> None:
        """Begin at rest.

        Args:
            bounds: velocities that may be asked for.
            gain: of the position error [1/s].
            lead: time until a velocity takes effect [s].
            tolerance: largest distance between arm and trajectory, in each joint [rad].
            linger: time at the end of a trajectory during which the arm is still kept on it [s].
        """
        super().__init__(tolerance, linger)
        self._bounds, self._gain, self._lead = bounds, gain, lead

    def command(self, now: float, measured: Array, moving: Array, clock_rate: float = 1.0) -> Array | None:
        """Return the joint velocities (n,) [rad/s] to have from now on, or None where nothing is followed.

        Args:
            now: the present [s].
            measured: position of the joints (n,) [rad].
            moving: their velocity (n,) [rad/s].
            clock_rate: seconds of the arm's clock in one of ours; a simulated arm may be slow.

        Raises:
            DeviationError: the arm is more than the tolerance away; nothing is followed any more.
        """
        with self._lock:
            if not self._is_active(now):
                self._spline = None
                return None
            assert self._spline is not None
            position, velocity = self._spline.sample(now + self._lead)
            error = position - (measured + self._lead * moving)
            self._check_near(error)
            wanted = (velocity + self._gain * error) / clock_rate
            return self._bounds.clip(wanted, measured)
