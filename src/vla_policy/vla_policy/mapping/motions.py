# SPDX-License-Identifier: Apache-2.0
"""The arm's motion in a chunk: tool deltas and poses, joint positions, deltas and velocities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation
from vla_core.action import ActionChunk, ActionMode, ActionValueError, DeltaReference
from vla_core.observation_map.observation_map import JOINT_MODES, Action, ActionFrame, Relative
from vla_core.observation_map.part import Part, PartKind, RotationForm
from vla_core.robot import RobotConfig
from vla_core.rotation import Pose

from vla_policy.mapping import poses
from vla_policy.mapping.columns import joints_from_rad, joints_to_rad
from vla_policy.mapping.poses import Motion
from vla_policy.mapping.rotations import read_rotations, write_rotations
from vla_policy.policy import FloatArray, Observation

MAX_ANGLE = 10.0  # [rad] beyond which an angle must be in another unit
ANGLES = (RotationForm.ROTATION_VECTOR, RotationForm.RPY)
Parts = Mapping[PartKind, tuple[Part, FloatArray]]


@dataclass(frozen=True, slots=True)
class Moves:
    """The motion fields of h steps, and how a chunk says what they are."""

    mode: ActionMode
    reference: DeltaReference
    joints: FloatArray | None = None  # (h, n)
    motion: Motion | None = None
    joint_names: tuple[str, ...] = ()

    def fields(self, step: int) -> dict[str, Any]:
        """Return the fields of an ActionStep."""
        if self.joints is not None:
            return {"joints": self.joints[step]}
        assert self.motion is not None
        if self.mode is ActionMode.EE_POSE:
            return {"pose": self.motion.pose(step)}
        rotation = self.motion.rotation[step].as_rotvec()
        return {"translation": self.motion.translation[step], "rotation_vector": rotation}


def read_motion(action: Action, parts: Parts, observation: Observation, robot: RobotConfig) -> Moves:
    """Return the motion of columns by their part. Raises ActionValueError for angles that cannot be."""
    if action.mode in JOINT_MODES:
        return _read_joints(action, *parts[PartKind.JOINTS], observation, robot)
    translation = parts[PartKind.TRANSLATION][1]
    rotation = Rotation.identity(len(translation))
    if PartKind.ROTATION in parts:
        part, numbers = parts[PartKind.ROTATION]
        if part.form in ANGLES:
            _check_angles("rotation", numbers)
        rotation = read_rotations(part.form, numbers)
    motion = Motion(translation, rotation)
    if action.mode is ActionMode.EE_POSE:
        return Moves(ActionMode.EE_POSE, DeltaReference.OBSERVED, motion=motion)
    if _is_chunk_delta(action):
        return Moves(ActionMode.EE_DELTA, _reference(action), motion=motion)
    absolute = poses.absolute(motion, _pose(observation), action.relative_to, action.frame)
    return Moves(ActionMode.EE_POSE, DeltaReference.OBSERVED, motion=absolute)


def write_motion(
    action: Action, chunk: ActionChunk, observation: Observation, robot: RobotConfig
) -> dict[PartKind, FloatArray]:
    """Return the columns (h, w) of the motion parts. Raises ActionValueError where the action cannot say the same."""
    if action.mode in JOINT_MODES:
        part = next(part for part in action.parts if part.part is PartKind.JOINTS)
        values = _joint_values(action, chunk, observation, part.names)
        is_position = action.mode is ActionMode.JOINT_POSITION
        return {PartKind.JOINTS: joints_from_rad(part, values, robot, is_position)}
    motion = _written_motion(action, chunk, observation)
    columns = {PartKind.TRANSLATION: motion.translation}
    for part in action.parts:
        if part.part is PartKind.ROTATION:
            columns[PartKind.ROTATION] = write_rotations(part.form, motion.rotation)
    return columns


def _read_joints(
    action: Action, part: Part, numbers: FloatArray, observation: Observation, robot: RobotConfig
) -> Moves:
    values = joints_to_rad(part, numbers, robot, action.mode is ActionMode.JOINT_POSITION)
    if action.mode is not ActionMode.JOINT_VELOCITY:
        _check_angles("joints", values)
    if action.mode is ActionMode.JOINT_DELTA and action.relative_to is Relative.OBSERVATION:
        positions = observation.positions(part.names) + values
        return Moves(ActionMode.JOINT_POSITION, DeltaReference.OBSERVED, positions, joint_names=part.names)
    return Moves(action.mode, _reference(action), values, joint_names=part.names)


def _joint_values(action: Action, chunk: ActionChunk, observation: Observation, names: tuple[str, ...]) -> FloatArray:
    """Return the chunk's joints (h, n) in the order of `names`, as the action's mode has them."""
    missing = [name for name in names if name not in chunk.joint_names]
    if missing or chunk.mode not in JOINT_MODES:
        raise _cannot(action, chunk, f"joints {', '.join(chunk.joint_names) or 'none'}, wanted {', '.join(names)}")
    order = [chunk.joint_names.index(name) for name in names]
    values = np.array([step.joints for step in chunk.steps])[:, order]
    same_reference = action.mode is not ActionMode.JOINT_DELTA or (
        action.relative_to is not Relative.OBSERVATION and chunk.delta_reference == _reference(action)
    )
    if chunk.mode == action.mode and same_reference:
        return values
    if ActionMode.JOINT_VELOCITY in (chunk.mode, action.mode):
        raise _cannot(action, chunk, "velocities and positions are not converted")
    if action.mode is ActionMode.JOINT_DELTA and action.relative_to is Relative.COMMANDED:
        raise _cannot(action, chunk, "its start is not the controller's")
    start = observation.positions(names)
    if chunk.mode == ActionMode.JOINT_DELTA:
        if chunk.delta_reference == DeltaReference.COMMANDED:
            raise _cannot(action, chunk, "its start is the controller's")
        values = start + np.cumsum(values, axis=0)
    if action.mode is ActionMode.JOINT_POSITION:
        return values
    before = start if action.relative_to is Relative.OBSERVATION else np.vstack([start, values[:-1]])
    return np.asarray(values - before)


def _written_motion(action: Action, chunk: ActionChunk, observation: Observation) -> Motion:
    if chunk.mode not in (ActionMode.EE_DELTA, ActionMode.EE_POSE):
        raise _cannot(action, chunk, "no tool motion")
    if chunk.mode == ActionMode.EE_DELTA:
        vectors = np.array([step.rotation_vector for step in chunk.steps])
        motion = Motion(np.array([step.translation for step in chunk.steps]), Rotation.from_rotvec(vectors))
        if _is_chunk_delta(action) and chunk.delta_reference == _reference(action):
            return motion
        if chunk.delta_reference == DeltaReference.COMMANDED:
            raise _cannot(action, chunk, "its start is the controller's")
        motion = poses.absolute(motion, _pose(observation), Relative.PREVIOUS, ActionFrame.BASE)
    else:
        motion = Motion.of_poses([step.pose for step in chunk.steps if step.pose is not None])
    if action.mode is ActionMode.EE_POSE:
        return motion
    if action.relative_to is Relative.COMMANDED:
        raise _cannot(action, chunk, "its start is not the controller's")
    return poses.relative(motion, _pose(observation), action.relative_to, action.frame)


def _is_chunk_delta(action: Action) -> bool:
    """Whether the action's deltas are those of a chunk: along the base's axes, from step to step."""
    is_delta = action.mode is ActionMode.EE_DELTA and action.frame is ActionFrame.BASE
    return is_delta and action.relative_to is not Relative.OBSERVATION


def _reference(action: Action) -> DeltaReference:
    return DeltaReference.COMMANDED if action.relative_to is Relative.COMMANDED else DeltaReference.OBSERVED


def _pose(observation: Observation) -> Pose:
    return Pose(observation.ee_position, observation.ee_quaternion_xyzw)


def _check_angles(what: str, values: FloatArray) -> None:
    largest = float(np.max(np.abs(values), initial=0.0))
    if largest > MAX_ANGLE:
        raise ActionValueError(f"{what} reach {largest:.1f} rad; valid is up to {MAX_ANGLE:g}: are they in degrees?")


def _cannot(action: Action, chunk: ActionChunk, why: str) -> ActionValueError:
    received = f"{ActionMode(chunk.mode).name.lower()} relative to {DeltaReference(chunk.delta_reference).name.lower()}"
    valid = f"{action.mode.name.lower()} relative to {action.relative_to.value}"
    return ActionValueError(f"a chunk of {received} cannot be sent as {valid}: {why}")
