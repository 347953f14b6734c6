# SPDX-License-Identifier: Apache-2.0
"""Poses and action chunks between messages and NumPy, both ways side by side."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Quaternion, Twist, Vector3
from geometry_msgs.msg import Pose as PoseMsg

from vla_core.action import ActionChunk, ActionStep
from vla_core.ros.time import ns_from_msg, seconds_from_msg, time_from_seconds
from vla_core.rotation import Array, Pose
from vla_msgs.msg import ActionChunk as ActionChunkMsg
from vla_msgs.msg import ActionStep as ActionStepMsg


def pose_from_msg(msg: PoseMsg) -> Pose:
    """Return the pose as it was sent, without normalising."""
    p, o = msg.position, msg.orientation
    return Pose(np.array([p.x, p.y, p.z]), np.array([o.x, o.y, o.z, o.w]))


def pose_to_msg(pose: Pose) -> PoseMsg:
    """Return the message of a pose."""
    x, y, z = pose.position.tolist()
    qx, qy, qz, qw = pose.quaternion.tolist()
    return PoseMsg(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def step_from_msg(msg: ActionStepMsg) -> ActionStep:
    """Return the step as it was sent."""
    t, r = msg.translation, msg.rotation
    return ActionStep(
        translation=np.array([t.x, t.y, t.z]),
        rotation_vector=np.array([r.x, r.y, r.z]),
        pose=pose_from_msg(msg.pose),
        joints=np.array(msg.joints, dtype=np.float64),
        gripper=msg.gripper,
        base=np.array([msg.base.linear.x, msg.base.linear.y, msg.base.angular.z]),
        terminate=msg.terminate,
    )


def step_to_msg(step: ActionStep) -> ActionStepMsg:
    """Return the message of a step; a pose or joints that it lacks stay at the message's defaults."""
    vx, vy, wz = step.base.tolist()
    msg = ActionStepMsg(
        translation=_vector(step.translation),
        rotation=_vector(step.rotation_vector),
        gripper=float(step.gripper),
        base=Twist(linear=Vector3(x=vx, y=vy), angular=Vector3(z=wz)),
        terminate=bool(step.terminate),
        joints=[] if step.joints is None else step.joints.tolist(),
    )
    if step.pose is not None:
        msg.pose = pose_to_msg(step.pose)
    return msg


def chunk_from_msg(msg: ActionChunkMsg, max_steps: int) -> ActionChunk:
    """Return the motion of a chunk as it was sent; whether it makes sense is for the safety gate.

    Of more than `max_steps` steps one too many is read, enough to be refused. Tokens are not read.
    """
    return ActionChunk(
        stamp=seconds_from_msg(msg.header.stamp),
        mode=msg.mode,
        delta_reference=msg.delta_reference,
        period=msg.period,
        steps=tuple(step_from_msg(step) for step in msg.steps[: max_steps + 1]),
        joint_names=tuple(msg.joint_names),
        frame_id=msg.header.frame_id,
        instruction_id=msg.instruction_id,
        sequence=msg.sequence,
        observed_pose=pose_from_msg(msg.observed_pose),
        observed_joints=np.array(msg.observed_joints, dtype=np.float64),
        stamp_ns=ns_from_msg(msg.header.stamp),
    )


def chunk_to_msg(chunk: ActionChunk, stamp: Time | None = None, inference_time: float = 0.0) -> ActionChunkMsg:
    """Return the message of a chunk.

    Args:
        chunk: with frame, instruction, sequence and observed state.
        stamp: the observation's own, so that topics join exactly; None: `chunk.stamp`, rounded to a float.
        inference_time: [s] the policy took.
    """
    probabilities = chunk.token_probabilities
    msg = ActionChunkMsg(
        instruction_id=chunk.instruction_id,
        sequence=chunk.sequence,
        mode=int(chunk.mode),
        delta_reference=int(chunk.delta_reference),
        observed_joints=[] if chunk.observed_joints is None else chunk.observed_joints.tolist(),
        joint_names=list(chunk.joint_names),
        period=float(chunk.period),
        steps=[step_to_msg(step) for step in chunk.steps],
        inference_time=inference_time,
        dimension_names=list(chunk.dimension_names) if chunk.tokens is not None else [],
        tokens=[] if chunk.tokens is None else chunk.tokens.ravel().tolist(),
        token_probabilities=[] if probabilities is None else probabilities.ravel().tolist(),
    )
    if chunk.observed_pose is not None:
        msg.observed_pose = pose_to_msg(chunk.observed_pose)
    msg.header.stamp = time_from_seconds(chunk.stamp) if stamp is None else stamp
    msg.header.frame_id = chunk.frame_id
    return msg


def _vector(values: Array) -> Vector3:
    x, y, z = values.tolist()
    return Vector3(x=x, y=y, z=z)
