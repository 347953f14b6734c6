# SPDX-License-Identifier: Apache-2.0
"""From the steps of chunks to a path over time: when each step is due, where it leads, and what lies between."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_core.rotation import Pose, apply_delta, normalise, slerp

Array = npt.NDArray[np.float64]
Value = TypeVar("Value", Pose, Array)

STRETCH = 0.25  # [s] that the way to a step whose time is short may take


@dataclass(frozen=True, slots=True)
class Waypoint(Generic[Value]):
    """Where to be at a time."""

    time: float  # [s]
    value: Value


@dataclass(frozen=True, slots=True)
class Path(Generic[Value]):
    """Waypoints at increasing times; the first one is where the path was joined, after the last one it rests."""

    waypoints: tuple[Waypoint[Value], ...]

    @property
    def end(self) -> float:
        """Time of the last waypoint [s]."""
        return self.waypoints[-1].time

    def between(self, after: float, before: float) -> tuple[Waypoint[Value], ...]:
        """Waypoints strictly between two times [s]."""
        return tuple(w for w in self.waypoints if after < w.time < before)

    def segment(self, time: float) -> tuple[Waypoint[Value], Waypoint[Value], float]:
        """The waypoints around ``time`` and the fraction gone from the first to the second."""
        k = bisect_right([w.time for w in self.waypoints], time)
        if k == 0 or k == len(self.waypoints):
            rest = self.waypoints[0 if k == 0 else -1]
            return rest, rest, 1.0
        start, end = self.waypoints[k - 1], self.waypoints[k]
        return start, end, (time - start.time) / (end.time - start.time)


def sample_pose(path: Path[Pose], time: float) -> Pose:
    """Pose at ``time``: positions linear between waypoints, rotations by slerp."""
    start, end, fraction = path.segment(time)
    if start is end:
        return end.value
    a, b = start.value, end.value
    return Pose(a.position + fraction * (b.position - a.position), slerp(a.quaternion, b.quaternion, fraction))


def sample_joints(path: Path[Array], time: float) -> Array:
    """Joint positions [rad] at ``time``, linear between waypoints."""
    start, end, fraction = path.segment(time)
    return start.value + fraction * (end.value - start.value)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The steps of a chunk that can still be done, when they are due [s], and how many were late."""

    indices: tuple[int, ...]
    times: tuple[float, ...]
    late: int


def schedule(chunk: ActionChunk, now: float, latency_budget: float) -> Schedule:
    """Due times of the steps up to the first that terminates; steps already past are late and skipped.

    The last step may be up to one period late and is then done from now on: it would otherwise be lost to a policy
    that is a little slower than the budget and sends one step at a time.
    """
    count = next((k + 1 for k, step in enumerate(chunk.steps) if step.terminate), len(chunk.steps))
    due = [chunk.stamp + latency_budget + k * chunk.period for k in range(count)]
    late = sum(time < now for time in due)
    first = late
    if late == count and due[-1] >= now - chunk.period:
        first = count - 1
    return Schedule(tuple(range(first, count)), tuple(due[first:]), late)


def pose_targets(chunk: ActionChunk, commanded: Pose) -> list[Pose]:
    """Pose that each step of an EE_DELTA or EE_POSE chunk leads to; ``commanded`` is that of the last setpoint."""
    if chunk.mode == ActionMode.EE_POSE:
        return [Pose(s.pose.position, normalise(s.pose.quaternion)) for s in chunk.steps if s.pose is not None]
    pose = commanded
    if chunk.delta_reference == DeltaReference.OBSERVED and chunk.observed_pose is not None:
        pose = Pose(chunk.observed_pose.position, normalise(chunk.observed_pose.quaternion))
    targets = []
    for step in chunk.steps:
        pose = apply_delta(pose, step.translation, step.rotation_vector)
        targets.append(pose)
    return targets


def joint_targets(
    chunk: ActionChunk, joints: tuple[str, ...], plan: Schedule, commanded: Array, present: Array
) -> list[Array]:
    """Joints [rad], in the order ``joints``, that each step of a JOINT_* chunk leads to.

    ``commanded`` is the last setpoint, ``present`` where the reference is now: velocities are held from there, one
    period for each step that is not late.
    """
    order = [chunk.joint_names.index(name) for name in joints]
    rows = [_row(step, order) for step in chunk.steps]
    if chunk.mode == ActionMode.JOINT_POSITION:
        return rows
    if chunk.mode == ActionMode.JOINT_VELOCITY:
        alive = set(plan.indices)
        spans = [min(chunk.period, STRETCH) if k == plan.indices[0] else chunk.period for k in range(len(rows))]
        moves = [row * spans[k] if k in alive else np.zeros_like(row) for k, row in enumerate(rows)]
        return list(present + np.cumsum(moves, axis=0))
    start = commanded
    if chunk.delta_reference == DeltaReference.OBSERVED and chunk.observed_joints is not None:
        start = chunk.observed_joints[order]
    return list(start + np.cumsum(rows, axis=0))


def _row(step: ActionStep, order: list[int]) -> Array:
    if step.joints is None:
        raise ValueError("a step of a JOINT_* chunk without joints; the gate refuses it")
    return step.joints[order]


def join(
    old: Path[Value] | None, present: Value, start: float, chunk: ActionChunk, plan: Schedule, targets: list[Value]
) -> Path[Value]:
    """Path from ``present`` at ``start`` [s] through what ``old`` still has before the first new step, then on.

    Steps due before ``start`` are passed by, but never the last one.
    """
    waypoints = [Waypoint(start, present)]
    if old is not None:
        waypoints.extend(old.between(start, plan.times[0]))
    for k, due in zip(plan.indices, plan.times, strict=True):
        if due > waypoints[-1].time or k == plan.indices[-1]:
            waypoints.append(Waypoint(max(due, waypoints[-1].time + 1e-3), targets[k]))
    return Path(tuple(waypoints))


def start_time(old: Path[Value] | None, position: float, chunk: ActionChunk, plan: Schedule) -> float:
    """When [s] on the path a new chunk is joined; ``position`` [s] is how far the arm's reference is on the old one.

    Where the old path has ended or ends with the chunk, the way to the first step takes at least a period (at most
    STRETCH): the speed stays what the policy asked for also when a step comes shortly before it is due, or late.
    """
    lead = min(chunk.period, STRETCH)
    if old is None or position >= old.end - 1e-9:
        return min(position, plan.times[0] - lead)
    return position if plan.times[-1] > position + 1e-3 else plan.times[-1] - lead
