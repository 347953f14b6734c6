# SPDX-License-Identifier: Apache-2.0
"""The safety gate: a chunk passes here once. What comes out is a refusal by name, or all that the motion needs.

A refused chunk changes nothing; the arm stops by itself. An accepted one stays inside joint limits and workspace.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from vla_core.action import ActionChunk, ActionMode
from vla_core.rotation import Pose, rotation_between

from vla_controller.arm.workspace import Workspace
from vla_controller.intake.checks import CHECKS, Array, GateContext, norm
from vla_controller.intake.targets import (
    JOINT_MODES,
    AcceptedChunk,
    Schedule,
    joint_targets,
    pose_targets,
    schedule,
    steps_of,
)
from vla_controller.refusals import Refusal

_HALVINGS = 12  # of a joint step that leaves the workspace, to find where it does


def judge(chunk: ActionChunk, context: GateContext) -> AcceptedChunk | Refusal:
    """Return what is to be done of `chunk`, or the first reason to refuse it."""
    for check in CHECKS:
        refusal = check(chunk, context)
        if refusal is not None:
            return refusal
    latency = context.latency
    latency.note(chunk.stamp, context.now, len(chunk.steps) * chunk.period)
    plan = schedule(chunk, context.now, latency.timing(chunk.period, steps_of(chunk)), latency.most_late)
    if not plan.indices:
        reason = f"all {plan.late} steps were due before {context.now:.3f} s; the stamp is {chunk.stamp:.3f} s"
        return Refusal("all_steps_late", reason)
    return (_accept_joints if chunk.mode in JOINT_MODES else _accept_poses)(chunk, plan, context)


def _accept_poses(chunk: ActionChunk, plan: Schedule, context: GateContext) -> AcceptedChunk | Refusal:
    reference, settings = context.reference, context.settings
    targets = pose_targets(chunk, reference.commanded_pose)
    first, absolute = targets[plan.indices[0]], chunk.mode == ActionMode.EE_POSE
    distance = norm(first.position - reference.pose.position)
    most = settings.max_step_translation if absolute else settings.max_jump_translation
    most_turn = settings.max_step_rotation if absolute else settings.max_jump_rotation
    if distance > most:
        return Refusal("step_too_large", f"first target is {distance:.3f} m away; at most {most} m")
    refusal = _first_turn(norm(rotation_between(reference.pose.quaternion, first.quaternion)), most_turn)
    if refusal is not None:
        return refusal
    box = Workspace.of(context.config)
    room = box.around(reference.pose.position)
    inside = tuple(Pose(room.clamp(pose.position), pose.quaternion) for pose in targets)
    outside = [targets[k].position for k in plan.indices if np.any(inside[k].position != targets[k].position)]
    changes = (_clamped(outside[0], box),) if outside else ()
    return AcceptedChunk(chunk, plan, reference.commanded, inside, (), changes, context.situation)


def _accept_joints(chunk: ActionChunk, plan: Schedule, context: GateContext) -> AcceptedChunk | Refusal:
    commanded, present, limits = context.reference.commanded, context.reference.joints, context.config.limits
    targets = joint_targets(chunk, context.config.joints, plan, commanded, present)
    turn = float(np.max(np.abs(targets[plan.indices[0]] - present)))
    refusal = _first_turn(turn, context.settings.max_jump_rotation)
    if refusal is not None:
        return refusal
    changes: list[Refusal] = []
    inside = [np.clip(target, limits.lower, limits.upper) for target in targets]
    if any(np.any(inside[k] != targets[k]) for k in plan.indices):
        changes.append(Refusal("joint_limit_clamped", "a target was moved onto the joints' position limits"))
    box = Workspace.of(context.config)
    room, before = box.around(context.tool(present)), present
    outside: list[Array] = []
    for k in plan.indices:
        place = context.tool(inside[k])
        if room.excess(place) > 0.0:
            outside.append(place)
            inside[k] = _shortened(before, inside[k], room, context.tool)
        before = inside[k]
    if outside:
        changes.append(_clamped(outside[0], box))
    return AcceptedChunk(chunk, plan, commanded, (), tuple(inside), tuple(changes), context.situation)


def _shortened(before: Array, target: Array, room: Workspace, tool: Callable[[Array], Array]) -> Array:
    """Return how far (n,) [rad] from `before`, inside `room`, straight towards `target`, outside, the tool stays in."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if room.excess(tool(before + middle * (target - before))) == 0.0 else (low, middle)
    place: Array = before + low * (target - before)
    return place


def _clamped(position: Array, box: Workspace) -> Refusal:
    return Refusal("workspace_clamped", f"target {position.round(3).tolist()} m moved onto the box {box}")


def _first_turn(turn: float, most: float) -> Refusal | None:
    if turn <= most:
        return None
    return Refusal("step_too_large", f"first target is {turn:.3f} rad away; at most {most:.3f} rad")
