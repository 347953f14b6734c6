# SPDX-License-Identifier: Apache-2.0
"""Messages to NumPy and back: the only place where it happens."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from vla_core.action import ActionChunk, ActionMode, ActionValueError
from vla_core.ros import action as core
from vla_core.ros.action import pose_from_msg
from vla_core.ros.time import seconds_from_msg
from vla_core.rotation import Pose

from vla_msgs.msg import ActionChunk as ActionChunkMsg
from vla_msgs.msg import CameraImage, Instruction, Plan, PolicyStatus, SceneState
from vla_msgs.msg import Observation as ObservationMsg
from vla_policy.errors import ObservationError
from vla_policy.policy import Observation
from vla_policy.run.scene_buffer import Scene
from vla_policy.run.state import State, Status, Task

LEVELS = {State.WAITING: DiagnosticStatus.WARN, State.ERROR: DiagnosticStatus.ERROR}


def _seven(pose: Pose) -> np.ndarray:
    return np.concatenate([pose.position, pose.quaternion])


def scene_from_msg(msg: SceneState) -> Scene:
    """Return the poses (7,) of the simulator's objects by name."""
    return {name: _seven(pose_from_msg(pose)) for name, pose in zip(msg.names, msg.poses, strict=True)}


def _image(msg: CameraImage) -> np.ndarray:
    """Return a view (H, W, 3) of the image; rows may be padded."""
    image, what = msg.image, f"image of camera {msg.name}"
    if image.encoding != "rgb8":
        raise ObservationError(f"{what} has encoding {image.encoding!r}; valid is 'rgb8'")
    if image.height == 0 or image.width == 0 or image.step < 3 * image.width:
        raise ObservationError(
            f"{what} is {image.width} x {image.height} with step {image.step}; valid is at least "
            "1 x 1 with step 3 * width or more"
        )
    if len(image.data) < image.height * image.step:
        raise ObservationError(
            f"{what} has {len(image.data)} bytes; valid is height * step = {image.height * image.step}"
        )
    rows = np.frombuffer(image.data, np.uint8, image.height * image.step).reshape(image.height, image.step)
    return rows[:, : 3 * image.width].reshape(image.height, image.width, 3)


def _check_cameras(msg: ObservationMsg, cameras: Sequence[str]) -> None:
    reasons = dict(zip(msg.missing, [*msg.missing_reasons, *["no reason given"] * len(msg.missing)], strict=False))
    told = [f"camera {name}: {reason}" for name, reason in reasons.items() if name in cameras or not cameras]
    if told:
        raise ObservationError("; ".join(told))
    present = [image.name for image in msg.images]
    absent = [name for name in cameras if name not in present]
    if absent:
        raise ObservationError(
            f"the observation has no camera {', '.join(absent)}, only {', '.join(present) or 'none'}: is camera_node "
            "started with the same map?"
        )


def observation_from_msg(msg: ObservationMsg, scene: Scene | None = None, cameras: Sequence[str] = ()) -> Observation:
    """Return the observation.

    cameras: names of those that the policy needs; empty: all that the message tells of. Raises ObservationError with
    what is wrong with it, a missing camera first.
    """
    _check_cameras(msg, cameras)
    if not msg.ee_pose_valid:
        reason = "the tool pose at the image's stamp is unknown"
        raise ObservationError(f"{reason}: does the controller publish it, and is the camera's clock in step?")
    pose = pose_from_msg(msg.ee_pose)
    return Observation(
        stamp=seconds_from_msg(msg.header.stamp),
        images={image.name: _image(image) for image in msg.images},
        joint_names=tuple(msg.joint_names),
        joint_position=np.array(msg.joint_position, dtype=np.float64),
        ee_position=pose.position,
        ee_quaternion_xyzw=pose.quaternion,
        gripper_width=msg.gripper_width,
        scene=scene,
    )


def task_from_msg(msg: Instruction) -> Task:
    """Return the instruction as the runner takes it; an unknown kind counts as a stop."""
    return Task(msg.id, msg.text, seconds_from_msg(msg.header.stamp), msg.kind != Instruction.KIND_TASK, msg.sequence)


@dataclass(frozen=True, slots=True)
class ChunkContext:
    """What a chunk's message needs besides the chunk: the observation that it was made from, and whom it serves."""

    observation: ObservationMsg
    instruction_id: str
    inference_time: float  # [s]


def _observed_joints(chunk: ActionChunk, observation: ObservationMsg) -> np.ndarray | None:
    """Return the observed positions in the chunk's joint order, for joint deltas. Raises ActionValueError."""
    if chunk.mode != ActionMode.JOINT_DELTA:
        return None
    positions = dict(zip(observation.joint_names, observation.joint_position, strict=True))
    missing = [name for name in chunk.joint_names if name not in positions]
    if missing:
        raise ActionValueError(f"joints {missing} were not observed; valid are {list(positions)}")
    return np.array([positions[name] for name in chunk.joint_names])


def chunk_to_msg(chunk: ActionChunk, context: ChunkContext) -> ActionChunkMsg:
    """Return the message of a policy's chunk, its sequence still 0.

    Raises:
        ActionValueError: the chunk must not be sent, or its joints were not observed.
    """
    observation = context.observation
    addressed = replace(
        chunk.checked(),
        frame_id=observation.base_frame,
        instruction_id=context.instruction_id,
        observed_pose=pose_from_msg(observation.ee_pose),
        observed_joints=_observed_joints(chunk, observation),
    )
    return core.chunk_to_msg(addressed, observation.header.stamp, context.inference_time)


def plan_to_msg(chunk: ActionChunk, context: ChunkContext) -> Plan | None:
    """Return the message of the plan that a chunk was made with, None without a plan."""
    if not chunk.plan.strip():
        return None
    msg = Plan(instruction_id=context.instruction_id, text=chunk.plan.strip())
    msg.header.stamp = context.observation.header.stamp
    return msg


def status_to_msg(status: Status, stamp: Time, policy: str, checkpoint: str) -> PolicyStatus:
    """Return the message of the runner's status."""
    task = status.task
    msg = PolicyStatus(
        state=int(status.state),
        policy=policy,
        checkpoint=checkpoint,
        instruction_id=task.id if task else "",
        instruction=task.text if task and not task.stop else "",
        rate=status.rate,
        inference_time=status.inference_time,
        observation_age=status.observation_age,
        token_confidence=status.token_confidence,
        chunks=status.chunks,
        observations_skipped=status.observations_skipped,
        reason=status.reason,
        legal_mass=status.legal_mass,
        actions_refused=status.actions_refused,
        instruction_sequence=status.instruction_sequence,
        instruction_chunks=status.task_chunks,
    )
    msg.header.stamp = stamp
    return msg


def diagnostics_to_msg(status: Status, stamp: Time, node: str, policy: str, checkpoint: str) -> DiagnosticArray:
    """Return the entry of `node` for /diagnostics."""
    values = {
        "policy": policy,
        "checkpoint": checkpoint,
        "state": status.state.name.lower(),
        "rate_hz": f"{status.rate:.2f}",
        "inference_ms": f"{status.inference_time * 1e3:.1f}",
        "observation_age_ms": f"{status.observation_age * 1e3:.1f}",
        "chunks": str(status.chunks),
        "observations_skipped": str(status.observations_skipped),
        "legal_mass": f"{status.legal_mass:.3f}",
        "actions_refused": str(status.actions_refused),
    }
    entry = DiagnosticStatus(
        level=LEVELS.get(status.state, DiagnosticStatus.OK),
        name=f"{node}: inference",
        hardware_id=policy,
        message=status.reason or status.state.name.lower(),
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    msg = DiagnosticArray(status=[entry])
    msg.header.stamp = stamp
    return msg
