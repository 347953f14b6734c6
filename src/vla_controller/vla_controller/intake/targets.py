# SPDX-License-Identifier: Apache-2.0
"""What a chunk asks for, in the controller's terms: when each step is due and where it leads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_core.rotation import Pose, apply_delta, normalise

from vla_controller.intake.latency import Timing
from vla_controller.refusals import Refusal

Array = npt.NDArray[np.float64]

JOINT_MODES = (ActionMode.JOINT_POSITION, ActionMode.JOINT_DELTA, ActionMode.JOINT_VELOCITY)
_SOON = 0.25  # of a period that was made longer
STRETCH = 0.25  # [s] that the way to a step whose time is short may take


@dataclass(frozen=True, slots=True)
class Schedule:
    """The steps of a chunk that can still be done, when they are due [s], and how many were late."""

    indices: tuple[int, ...]
    times: tuple[float, ...]
    late: int
    timing: Timing
    lead: float  # [s] that the way to the first step takes where nothing leads there yet

    def from_rest(self) -> Schedule:
        """The same for an arm that begins to move with it."""
        wait = self.timing.from_rest
        return replace(self, times=tuple(time + wait for time in self.times))


@dataclass(frozen=True, slots=True)
class Reference:
    """Where the arm is led at the moment: the setpoint sent last, and the place on the path."""

    commanded: Array  # (n,) [rad]
    commanded_pose: Pose
    joints: Array  # (n,) [rad]
    pose: Pose


@dataclass(frozen=True, slots=True)
class AcceptedChunk:
    """A chunk that passed the gate, with all that its execution needs; nothing of it is judged again."""

    chunk: ActionChunk
    schedule: Schedule
    start: Array  # (n,) [rad] setpoint sent last when it was judged
    poses: tuple[Pose, ...]  # target of every step, in the workspace; empty for JOINT_* chunks
    joints: tuple[Array, ...]  # likewise (n,) [rad], inside the position limits; empty for EE_* chunks
    changes: tuple[Refusal, ...] = ()  # targets that were moved onto a limit
    situation: int = 0  # the controller's, when the chunk was judged


def steps_of(chunk: ActionChunk) -> int:
    """Number of steps up to the first that terminates."""
    return next((k + 1 for k, step in enumerate(chunk.steps) if step.terminate), len(chunk.steps))


def schedule(chunk: ActionChunk, now: float, timing: Timing, most_late: float | None = None) -> Schedule:
    """Due times of the steps up to the first that terminates; steps already past are late and skipped.

    The last step may be up to one period late and is then done from now on: it would otherwise be lost to a policy
    that is a little slower than the budget and sends one step at a time. With ``most_late`` [s] that is so until the
    observation is that old.
    """
    count, period = steps_of(chunk), timing.period
    due = [chunk.stamp + timing.budget + k * period for k in range(count)]
    late = sum(time < now for time in due)
    soon = now + _SOON * period if period > chunk.period else now  # the reference is past a step that is due soon
    first = late if late == count else min(sum(time < soon for time in due), count - 1)
    if late == count and (due[-1] >= now - period or (most_late is not None and now - chunk.stamp <= most_late)):
        first = count - 1
        due[-1] = max(due[-1], now - period)
    lead = period if period > chunk.period else min(period, STRETCH)
    return Schedule(tuple(range(first, count)), tuple(due[first:]), late, timing, lead)


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
