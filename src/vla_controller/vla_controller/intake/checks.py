# SPDX-License-Identifier: Apache-2.0
"""What makes a chunk acceptable in itself: pure checks of its fields, each with a named refusal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_core.robot import RobotConfig
from vla_core.rotation import Pose, rotation_between

from vla_controller.intake.latency import LatencyBudget
from vla_controller.intake.targets import JOINT_MODES, Reference
from vla_controller.refusals import Refusal
from vla_controller.settings import ControllerSettings

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GateContext:
    """What a chunk is judged against."""

    now: float  # [s]
    config: RobotConfig
    settings: ControllerSettings
    instruction_id: str | None  # None before the first instruction
    stopped: bool  # halted until a new instruction comes
    latency: LatencyBudget
    last_order: tuple[float, int] | None  # (stamp, sequence) of the last chunk accepted
    reference: Reference
    tool: Callable[[Array], Array]  # position (3,) [m] of the tool centre point for joints (n,) [rad]
    situation: int = 0  # handed on to the accepted chunk


def norm(vector: Array) -> float:
    """Length of a vector."""
    return math.sqrt(float(vector @ vector))


def _mode(chunk: ActionChunk, context: GateContext) -> Refusal | None:
    if chunk.mode not in tuple(ActionMode):
        return Refusal("bad_mode", f"mode {chunk.mode}; valid: {', '.join(f'{m.value} {m.name}' for m in ActionMode)}")
    if chunk.delta_reference not in tuple(DeltaReference):
        return Refusal("bad_mode", f"delta_reference {chunk.delta_reference}; valid: 0 OBSERVED, 1 COMMANDED")
    return None


def _steps(chunk: ActionChunk, context: GateContext) -> Refusal | None:
    if not chunk.steps:
        return Refusal("empty_chunk", "a chunk needs at least one step")
    if len(chunk.steps) > context.settings.max_steps:
        return Refusal("too_many_steps", f"{len(chunk.steps)} steps; at most {context.settings.max_steps}")
    if not 0.0 < chunk.period <= context.settings.max_period:
        return Refusal("bad_period", f"period {chunk.period} s; must be in (0, {context.settings.max_period}] s")
    return None


def _instruction(chunk: ActionChunk, context: GateContext) -> Refusal | None:
    if context.stopped:
        return Refusal("stopped", "halted (stop, reset, home or a trajectory); a new instruction is needed")
    if context.instruction_id is None:
        return Refusal("wrong_instruction", f"chunk for {chunk.instruction_id!r}, but there is no instruction yet")
    if chunk.instruction_id != context.instruction_id:
        return Refusal(
            "wrong_instruction", f"chunk for {chunk.instruction_id!r}, current is {context.instruction_id!r}"
        )
    return None


def _age(chunk: ActionChunk, context: GateContext) -> Refusal | None:
    if not math.isfinite(chunk.stamp):
        return Refusal("non_finite", f"stamp is {chunk.stamp}")
    age, settings = context.now - chunk.stamp, context.settings
    if age > settings.max_chunk_age:
        return Refusal("chunk_too_old", f"observation is {age:.3f} s old; at most {settings.max_chunk_age} s")
    if -age > settings.max_chunk_lead:
        return Refusal("chunk_from_future", f"stamp is {-age:.3f} s ahead; at most {settings.max_chunk_lead} s")
    order = (chunk.stamp, chunk.sequence)
    if context.last_order is not None and order <= context.last_order:
        return Refusal("out_of_order", f"(stamp, sequence) {order} does not follow {context.last_order}")
    return None


def _names(chunk: ActionChunk, context: GateContext) -> Refusal | None:
    config = context.config
    if chunk.mode not in JOINT_MODES:
        if chunk.frame_id != config.base_frame:
            known = f"must be {config.base_frame!r} or joined to it on /tf_static"
            return Refusal("wrong_frame", f"frame {chunk.frame_id!r}; {known}")
        return None
    if sorted(chunk.joint_names) != sorted(config.joints):
        return Refusal("wrong_joints", f"joints {list(chunk.joint_names)}; must be {list(config.joints)} in any order")
    return None


def _used(chunk: ActionChunk) -> Iterator[tuple[str, Array | None, int]]:
    """Name, value and length of every array that the chunk's mode reads."""
    n = len(chunk.joint_names)
    if chunk.delta_reference == DeltaReference.OBSERVED:
        if chunk.mode == ActionMode.EE_DELTA:
            yield from _pose_parts("observed_pose", chunk.observed_pose)
        elif chunk.mode == ActionMode.JOINT_DELTA:
            yield "observed_joints", chunk.observed_joints, n
    for k, step in enumerate(chunk.steps):
        yield f"steps[{k}].base", step.base, 3
        if chunk.mode == ActionMode.EE_DELTA:
            yield f"steps[{k}].translation", step.translation, 3
            yield f"steps[{k}].rotation", step.rotation_vector, 3
        elif chunk.mode == ActionMode.EE_POSE:
            yield from _pose_parts(f"steps[{k}].pose", step.pose)
        else:
            yield f"steps[{k}].joints", step.joints, n


def _pose_parts(name: str, pose: Pose | None) -> Iterator[tuple[str, Array | None, int]]:
    yield f"{name}.position", None if pose is None else pose.position, 3
    yield f"{name}.orientation", None if pose is None else pose.quaternion, 4


def _numbers(chunk: ActionChunk, context: GateContext) -> Refusal | None:
    for name, value, length in _used(chunk):
        if value is None or value.shape != (length,):
            wrong = "wrong_joints" if "joints" in name else "bad_shape"
            return Refusal(wrong, f"{name} must hold {length} numbers, got {None if value is None else value.shape}")
        if not np.all(np.isfinite(value)):
            return Refusal("non_finite", f"{name} is {value.tolist()}")
        if name.endswith("orientation") and abs(norm(value) - 1.0) > 1e-2:
            return Refusal("bad_quaternion", f"{name} has norm {norm(value):.4f}; must be 1")
    for k, step in enumerate(chunk.steps):
        if not math.isnan(step.gripper) and not -1e-3 <= step.gripper <= 1.001:
            return Refusal("gripper_range", f"steps[{k}].gripper is {step.gripper}; must be 0 to 1, or NaN to leave it")
    return None


def _sizes(chunk: ActionChunk, context: GateContext) -> Refusal | None:
    previous: ActionStep | None = None
    most, most_turn = context.settings.max_step_translation, context.settings.max_step_rotation
    for k, step in enumerate(chunk.steps):
        translation, rotation = _step_size(chunk, step, previous)
        previous = step
        if translation > most:
            return Refusal("step_too_large", f"steps[{k}] moves {translation:.3f} m; at most {most} m")
        if rotation > most_turn:
            return Refusal("step_too_large", f"steps[{k}] turns {rotation:.3f} rad; at most {most_turn:.3f} rad")
    return None


def _step_size(chunk: ActionChunk, step: ActionStep, previous: ActionStep | None) -> tuple[float, float]:
    """Translation [m] and rotation (tool, or largest joint) [rad] of a step against the one before."""
    if chunk.mode == ActionMode.EE_DELTA:
        return norm(step.translation), norm(step.rotation_vector)
    if step.joints is not None and chunk.mode in JOINT_MODES:
        if chunk.mode == ActionMode.JOINT_DELTA:
            return 0.0, float(np.max(np.abs(step.joints)))
        if chunk.mode == ActionMode.JOINT_VELOCITY:
            return 0.0, float(np.max(np.abs(step.joints))) * chunk.period
        if previous is not None and previous.joints is not None:
            return 0.0, float(np.max(np.abs(step.joints - previous.joints)))
    if step.pose is not None and previous is not None and previous.pose is not None:
        turn = rotation_between(previous.pose.quaternion, step.pose.quaternion)
        return norm(step.pose.position - previous.pose.position), norm(turn)
    return 0.0, 0.0


CHECKS: tuple[Callable[[ActionChunk, GateContext], Refusal | None], ...] = (
    _mode, _steps, _instruction, _age, _names, _numbers, _sizes,
)  # fmt: skip
