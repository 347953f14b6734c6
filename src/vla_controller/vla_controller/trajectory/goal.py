# SPDX-License-Identifier: Apache-2.0
"""Which planned trajectories are executed: names, shapes, times and limits, with the error codes of control_msgs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from vla_core.robot import JointLimits

from vla_controller.arm.workspace import WORKSPACE_MARGIN, Workspace
from vla_controller.trajectory.curve import Curve, Trajectory

Array = npt.NDArray[np.float64]

MAX_POINTS = 20_000
_OLD = 1.0  # [s] that a start time may lie in the past
_LEAD = 10.0  # [s] that it may lie in the future
_SLACK = 1.0 + 1e-3  # for rounding at a limit
_POSITION_SLACK = 1e-6  # [rad]
_REST = 0.01  # [rad/s] that the last point may still move
_SAMPLING_PERIOD, _MOST_SAMPLES = 0.02, 5_000  # [s] of the workspace check; for very long trajectories
_EDGE = 1e-6  # [m] for rounding at the workspace's edge


class ErrorCode(IntEnum):
    """Values equal those of control_msgs/action/FollowJointTrajectory."""

    SUCCESSFUL = 0
    INVALID_GOAL = -1
    INVALID_JOINTS = -2
    OLD_HEADER_TIMESTAMP = -3
    PATH_TOLERANCE_VIOLATED = -4
    GOAL_TOLERANCE_VIOLATED = -5


class GoalError(ValueError):
    """A trajectory that is not executed; the text says what was received and what is valid."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        """``code`` as control_msgs defines it."""
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class TrajectoryGoal:
    """A trajectory as it was received. Arrays have a row for each point, in the order ``joint_names``."""

    stamp: float  # [s] when time 0 is; 0: now
    joint_names: tuple[str, ...]
    times: Array  # (m,) [s] from the stamp
    positions: tuple[Array, ...]  # m of (n,) [rad]
    velocities: tuple[Array, ...]  # m of (n,) [rad/s], or of (0,)
    accelerations: tuple[Array, ...]  # m of (n,) [rad/s^2], or of (0,)
    path_tolerance: dict[str, float] = field(default_factory=dict)  # [rad] by joint; 0 default, -1 none
    goal_tolerance: dict[str, float] = field(default_factory=dict)  # likewise
    goal_time_tolerance: float = 0.0  # [s]; 0 default
    multi_dof: bool = False


def read_goal(goal: TrajectoryGoal, joints: tuple[str, ...], limits: JointLimits, present: Array, now: float) -> Curve:
    """The curve of ``goal`` for an arm whose setpoint is ``present`` (n,) [rad] at ``now`` [s].

    Raises:
        GoalError: the goal cannot be executed inside the limits from here.
    """
    _check_shape(goal, joints)
    if goal.stamp and goal.stamp < now - _OLD:
        raise GoalError(
            ErrorCode.OLD_HEADER_TIMESTAMP, f"start is {now - goal.stamp:.3f} s in the past; at most {_OLD} s"
        )
    if goal.stamp > now + _LEAD:
        raise GoalError(ErrorCode.INVALID_GOAL, f"start is {goal.stamp - now:.3f} s in the future; at most {_LEAD} s")
    trajectory = _from_here(_in_order(goal, joints), present)
    _check_limits(trajectory, joints, limits)
    return Curve(trajectory, max(goal.stamp, now))


def _invalid(text: str) -> GoalError:
    return GoalError(ErrorCode.INVALID_GOAL, text)


def _check_shape(goal: TrajectoryGoal, joints: tuple[str, ...]) -> None:
    if goal.multi_dof:
        raise GoalError(ErrorCode.INVALID_JOINTS, "multi_dof_trajectory is not empty; this arm has none of its joints")
    if sorted(goal.joint_names) != sorted(joints):
        raise GoalError(
            ErrorCode.INVALID_JOINTS, f"joints {list(goal.joint_names)}; must be {list(joints)} in any order"
        )
    count = len(goal.times)
    if not 1 <= count <= MAX_POINTS:
        raise _invalid(f"{count} points; 1 to {MAX_POINTS} are needed")
    if not np.all(np.isfinite(goal.times)) or goal.times[0] < 0.0 or np.any(np.diff(goal.times) <= 0.0):
        raise _invalid("time_from_start must be 0 or more and strictly increasing")
    rows = (("positions", goal.positions), ("velocities", goal.velocities), ("accelerations", goal.accelerations))
    for name, values in rows:
        if name != "positions" and all(row.size == 0 for row in values):
            continue
        for k, row in enumerate(values):
            if row.shape != (len(joints),) or not np.all(np.isfinite(row)):
                raise _invalid(f"points[{k}].{name} is {row.tolist()}; {len(joints)} finite numbers are needed")
    given = (*goal.path_tolerance.values(), *goal.goal_tolerance.values())
    if not np.all(np.isfinite(given)) or goal.goal_time_tolerance < 0.0:
        raise _invalid(f"tolerances {given} and {goal.goal_time_tolerance} s must be finite, the time 0 s or more")
    unknown = sorted({*goal.path_tolerance, *goal.goal_tolerance} - set(joints))
    if unknown:
        raise GoalError(ErrorCode.INVALID_JOINTS, f"tolerances for {unknown}; valid joints: {list(joints)}")


def _in_order(goal: TrajectoryGoal, joints: tuple[str, ...]) -> Trajectory:
    order = [goal.joint_names.index(name) for name in joints]
    velocities = None if all(row.size == 0 for row in goal.velocities) else np.array(goal.velocities)[:, order]
    pushes = None if all(row.size == 0 for row in goal.accelerations) else np.array(goal.accelerations)[:, order]
    if velocities is None:
        pushes = None
    return Trajectory(goal.times, np.array(goal.positions)[:, order], velocities, pushes)


def _from_here(trajectory: Trajectory, present: Array) -> Trajectory:
    """With the present setpoint as its first point, at rest; a given point at time 0 has to be there already."""
    rest = np.zeros((1, len(present)))
    if trajectory.times[0] > 0.0:
        times, positions = np.concatenate(([0.0], trajectory.times)), np.vstack((present, trajectory.positions))
        given = (trajectory.velocities, trajectory.accelerations)
        velocities, pushes = (None if rows is None else np.vstack((rest, rows)) for rows in given)
        return Trajectory(times, positions, velocities, pushes)
    if len(trajectory.times) == 1:
        return Trajectory(np.array([0.0, 0.05]), np.vstack((present, trajectory.positions)), None, None)
    return trajectory


def check_start(curve: Curve, joints: tuple[str, ...], present: Array, tolerance: float) -> None:
    """Raise GoalError unless the curve begins within ``tolerance`` [rad] of the setpoint ``present`` (n,)."""
    distance = np.abs(curve.trajectory.positions[0] - present)
    worst = int(np.argmax(distance))
    if distance[worst] > tolerance:
        raise _invalid(
            f"starts {distance[worst]:.4f} rad away from the arm at {joints[worst]}; at most {tolerance} rad"
        )


def check_workspace(curve: Curve, box: Workspace, tool: Callable[[Array], Array]) -> None:
    """Raise GoalError unless the tool stays in ``box``, or comes no farther away from it than it begins.

    ``tool`` gives its position (3,) [m] for joints (n,) [rad].
    """
    trajectory = curve.trajectory
    times = np.linspace(0.0, trajectory.duration, min(_MOST_SAMPLES, 2 + int(trajectory.duration / _SAMPLING_PERIOD)))
    places = np.array([tool(trajectory.sample(time)) for time in times])
    excess = box.around(places[0], WORKSPACE_MARGIN).excess(places)
    if np.any(excess > _EDGE):
        first = int(np.argmax(excess > _EDGE))
        place, time = places[first].round(3).tolist(), times[first]
        raise _invalid(f"the tool leaves the workspace {box}: at {place} m after {time:.2f} s")


def _check_limits(trajectory: Trajectory, joints: tuple[str, ...], limits: JointLimits) -> None:
    positions = trajectory.positions[1:]
    low, high = limits.lower - _POSITION_SLACK, limits.upper + _POSITION_SLACK
    if (place := _first(np.any((positions < low) | (positions > high), axis=0))) is not None:
        extremes = (float(positions[:, place].min()), float(positions[:, place].max()))
        bounds = f"{limits.lower[place]} to {limits.upper[place]} rad"
        raise _invalid(f"{joints[place]} goes from {extremes[0]:.4f} to {extremes[1]:.4f} rad; valid is {bounds}")
    mean = np.abs(np.diff(trajectory.positions, axis=0)) / np.diff(trajectory.times)[:, None]
    rows = [("velocity", "rad/s", mean, limits.velocity)]
    if trajectory.velocities is not None:
        rows.append(("velocity", "rad/s", np.abs(trajectory.velocities), limits.velocity))
        if np.any(np.abs(trajectory.velocities[-1]) > _REST):
            raise _invalid(f"ends with velocities {trajectory.velocities[-1].tolist()} rad/s; it must end at rest")
    if trajectory.accelerations is not None:
        rows.append(("acceleration", "rad/s^2", np.abs(trajectory.accelerations), limits.acceleration))
    for what, unit, values, top in rows:
        if (place := _first(np.any(values > _SLACK * top, axis=0))) is not None:
            peak = float(values[:, place].max())
            raise _invalid(f"{joints[place]} needs a {what} of {peak:.3f} {unit}; at most {top[place]} {unit}")


def _first(wrong: npt.NDArray[np.bool_]) -> int | None:
    return int(np.argmax(wrong)) if np.any(wrong) else None
