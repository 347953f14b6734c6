# SPDX-License-Identifier: Apache-2.0
"""Joint trajectories as they arrive: checked as a joint_trajectory_controller does, put in the robot's joint order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_core.trajectory.spline import TrajectoryPoint

Array = NDArray[np.float64]
LIMIT_MARGIN = 0.02  # [rad] or [m] by which a position may pass a joint's stop: rounding, not intent


class CommandError(ValueError):
    """A trajectory that is refused. `name` is a stable identifier of the kind of refusal."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class ReceivedPoint:
    """One point in the sender's joint order; empty where the sender gave nothing."""

    time_from_start: float  # [s]
    positions: tuple[float, ...]
    velocities: tuple[float, ...] = ()
    accelerations: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Joints:
    """The joints that a controller moves, in the robot's order, and their stops."""

    names: tuple[str, ...]
    lower: Array  # (n,) [rad] or [m]
    upper: Array  # (n,)


def check_trajectory(
    names: Sequence[str], points: Sequence[ReceivedPoint], joints: Joints, age: float = 0.0
) -> tuple[TrajectoryPoint, ...]:
    """Points in the robot's joint order, timed from now; () means stop where the desired state is now.

    `age` [s]: how long ago the trajectory started, by its own stamp; 0 when it has none. Of the points that are past
    the last stays: the way from it to the next is what is executed now. Points without velocities get those of a
    smooth path through all points; accelerations count where all points have them. Raises CommandError.
    """
    if not points and not names:
        return ()
    order = _order(names, joints.names)
    if not points:
        return ()
    times = _times(points)
    positions, velocities, accelerations = (rows[:, order] for rows in _values(points, len(order)))
    _check_stops(positions, joints)
    if times[-1] - age < 0.0:
        raise CommandError("in_the_past", f"the trajectory ended {age - times[-1]:.3f} s ago by its own stamp")
    if np.isnan(velocities).any():
        velocities = _smooth_velocities(times, positions)
    ahead = times - age
    first = max(0, int(np.searchsorted(ahead, 0.0, side="right")) - 1)
    pushes = [None if np.isnan(row).any() else row for row in accelerations]
    return tuple(
        TrajectoryPoint(float(ahead[i]), positions[i], velocities[i], pushes[i]) for i in range(first, len(points))
    )


def _order(names: Sequence[str], expected: tuple[str, ...]) -> list[int]:
    """For each of the robot's joints its place in the message."""
    missing = [name for name in expected if name not in names]
    unknown = [name for name in names if name not in expected]
    if missing or unknown or len(names) != len(expected):
        details = [f"missing {', '.join(missing)}"] if missing else []
        details += [f"unknown {', '.join(unknown[:8])}"] if unknown else []
        details += [] if details else ["some are named twice"]
        raise CommandError(
            "joint_names", f"joint names: {'; '.join(details)}; valid: {', '.join(expected)}, in any order"
        )
    return [list(names).index(name) for name in expected]


def _times(points: Sequence[ReceivedPoint]) -> Array:
    times = np.array([point.time_from_start for point in points])
    if times[0] < 0.0 or np.any(np.diff(times) <= 0.0):
        shown = ", ".join(f"{time:g}" for time in times[:8])
        raise CommandError("times", f"time_from_start is {shown} s; valid: 0 or more and strictly increasing")
    return times


def _values(points: Sequence[ReceivedPoint], n: int) -> tuple[Array, Array, Array]:
    """Positions, velocities and accelerations (k, n), NaN where a point has none."""
    for i, point in enumerate(points):
        _check_lengths(i, point, n)
        for field in ("positions", "velocities", "accelerations"):
            if not np.isfinite(getattr(point, field)).all():
                raise CommandError(
                    "not_finite", f"point {i}: {field} are {getattr(point, field)}; valid: finite numbers"
                )
    given = sum(bool(point.velocities) for point in points)
    if given not in (0, len(points)):
        raise CommandError("lengths", f"{given} of {len(points)} points have velocities; valid: all or none")
    rows = [
        (point.positions, point.velocities or (np.nan,) * n, point.accelerations or (np.nan,) * n) for point in points
    ]
    positions, velocities, accelerations = (np.array(column) for column in zip(*rows, strict=True))
    return positions, velocities, accelerations


def _check_lengths(i: int, point: ReceivedPoint, n: int) -> None:
    got = len(point.positions), len(point.velocities), len(point.accelerations)
    if got[0] != n or got[1] not in (0, n) or got[2] not in (0, n):
        raise CommandError(
            "lengths",
            f"point {i} has {got[0]} positions, {got[1]} velocities, {got[2]} accelerations; valid: {n} positions, "
            f"and {n} or none of the others",
        )


def _check_stops(positions: Array, joints: Joints) -> None:
    outside = (positions < joints.lower - LIMIT_MARGIN) | (positions > joints.upper + LIMIT_MARGIN)
    if outside.any():
        i, j = (int(index) for index in np.argwhere(outside)[0])
        raise CommandError(
            "beyond_stop",
            f"point {i}: {joints.names[j]} at {positions[i, j]:g}; valid: {joints.lower[j]:g} to {joints.upper[j]:g}",
        )


def _smooth_velocities(times: Array, positions: Array) -> Array:
    """Central differences inside, at rest at the end; the first point of several gets the slope to the next one."""
    velocities = np.zeros_like(positions)
    if len(times) > 1:
        velocities = np.gradient(positions, times, axis=0)
        velocities[-1] = 0.0
    return velocities
