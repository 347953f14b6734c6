# SPDX-License-Identifier: Apache-2.0
"""From the targets of chunks to a path over time: what lies between them, and how one path goes over into the next."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from vla_core.rotation import Pose, slerp

from vla_controller.intake.targets import Schedule

Array = npt.NDArray[np.float64]
Value = TypeVar("Value", Pose, Array)


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


def join(
    old: Path[Value] | None, present: Value, start: float, plan: Schedule, targets: Mapping[int, Value]
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


def start_time(old: Path[Value] | None, position: float, plan: Schedule) -> float:
    """When [s] on the path a new chunk is joined; ``position`` [s] is how far the arm's reference is on the old one.

    Where the old path has ended or ends with the chunk, the way to the first step takes at least the schedule's lead:
    the speed stays what the policy asked for also when a step comes shortly before it is due, or late.
    """
    lead = plan.lead
    if old is None or position >= old.end - 1e-9:
        return min(position, plan.times[0] - lead)
    return position if plan.times[-1] > position + 1e-3 else plan.times[-1] - lead
