# SPDX-License-Identifier: Apache-2.0
"""What turns messages into the nodes' own types, and the controller behind it with its promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from control_msgs.action import FollowJointTrajectory
from geometry_msgs.msg import Point, Quaternion, Vector3
from geometry_msgs.msg import Pose as PoseMsg
from rcl_interfaces.msg import Log
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from vla_core.ros.trajectory import age_from_msg, points_from_msg
from vla_core.trajectory.checks import CommandError as TrajectoryError
from vla_core.trajectory.checks import Joints, check_trajectory
from vla_operator.commands import parse_command
from vla_operator.errors import CommandError
from vla_perception.errors import PerceptionError
from vla_perception.ros.image_conversion import ImageConverter
from vla_policy.errors import PolicyError
from vla_policy.ros.conversions import observation_from_msg, scene_from_msg, task_from_msg

from vla_console import messages as console
from vla_msgs.msg import (
    ActionChunk,
    ActionStep,
    CameraImage,
    ControllerStatus,
    Instruction,
    Observation,
    OperatorHeartbeat,
    Plan,
    PolicyStatus,
    RecorderStatus,
    SceneState,
    TaskStatus,
    TeleopCommand,
    Utterance,
)
from vla_trust.fuzz.mutate import Mutator
from vla_trust.fuzz.ros.controller import ControllerUnderTest
from vla_trust.fuzz.ros.random_message import changed_message, random_message
from vla_trust.fuzz.target import PromiseError, Target

JOINTS = [f"fr3_joint{number}" for number in range(1, 8)]
HOME = [0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785]


def targets() -> tuple[Target, ...]:
    """Return the targets of this module."""
    arm = ControllerUnderTest()
    return (
        Target("msg-action-chunk", lambda: _chunks(arm), arm.chunk, (), _changed),
        _target("msg-joint-state", [joint_state()], arm.joint_state, ()),
        _target("msg-teleop", [teleop(1), teleop(2)], arm.teleop, ()),
        _target("msg-trajectory", [trajectory_goal()], arm.trajectory, ()),
        _target(
            "msg-instruction", [Instruction(id="a", text="pick up the red block", sequence=1)], arm.instruction, ()
        ),
        _target("msg-heartbeat", [OperatorHeartbeat()], arm.heartbeat, ()),
        _target("msg-observation", [observation()], observation_from_msg, (PolicyError,)),
        _target("msg-task", [Instruction(id="a", text="stop", kind=1)], task_from_msg, ()),
        _target("msg-scene", [SceneState(names=["bowl"], poses=[pose()])], scene_from_msg, (ValueError,)),
        _target("msg-image", [image(encoding) for encoding in ("rgb8", "mono8", "bgra8")], _raw, (PerceptionError,)),
        _target("msg-compressed-image", [compressed()], _compressed, (PerceptionError,)),
        _target("msg-joint-trajectory", [joint_trajectory()], _points, (TrajectoryError,)),
        _target(
            "msg-text", [String(data="pick up the red block")], lambda msg: parse_command(msg.data), (CommandError,)
        ),
        *(_target(f"msg-console-{read.__name__}", [kind()], read, ()) for kind, read in CONSOLE.items()),
    )


CONSOLE: dict[Any, Callable[[Any], object]] = {
    ControllerStatus: console.controller,
    PolicyStatus: console.policy,
    ActionChunk: console.chunk,
    TaskStatus: console.task,
    RecorderStatus: console.recorder,
    Instruction: console.instruction,
    Plan: console.plan,
    Utterance: console.utterance,
    Log: console.log_line,
}


def _target(
    name: str, examples: list[Any], read: Callable[[Any], object], refuses: tuple[type[Exception], ...]
) -> Target:
    return Target(name, lambda: examples, read, refuses, _changed)


def _changed(mutator: Mutator, message: Any) -> Any:
    if mutator.rng.random() < 0.1:
        return random_message(mutator, type(message))
    return changed_message(mutator, message)


def _chunks(arm: ControllerUnderTest) -> list[ActionChunk]:
    arm.begin()
    return [chunk(mode) for mode in range(5)]


def pose() -> PoseMsg:
    """Return a pose in front of the arm."""
    return PoseMsg(position=Point(x=0.4, y=0.0, z=0.3), orientation=Quaternion(x=1.0, y=0.0, z=0.0, w=0.0))


def chunk(mode: int) -> ActionChunk:
    """Return a chunk of two small steps in a mode."""
    joints = HOME if mode == 2 else [0.01] * 7
    step = ActionStep(translation=Vector3(x=0.01), pose=pose(), gripper=1.0, joints=joints)
    message = ActionChunk(instruction_id="a", sequence=1, mode=mode, period=0.2, steps=[step, step])
    message.joint_names, message.observed_joints, message.observed_pose = JOINTS, HOME, pose()
    message.header.frame_id = "fr3_link0"
    return message


def joint_state() -> JointState:
    """Return the arm at home."""
    return JointState(name=[*JOINTS, "fr3_finger_joint1"], position=[*HOME, 0.04], velocity=[0.0] * 8, effort=[])


def teleop(drive: int) -> TeleopCommand:
    """Return a command of a held device: 1 a velocity, 2 a pose."""
    message = TeleopCommand(device="test", held=True, drive=drive, pose=pose(), gripper=0.5)
    message.header.frame_id, message.twist.linear.x = "fr3_link0", 0.05
    return message


def trajectory_goal() -> FollowJointTrajectory.Goal:
    """Return a short motion of the first joint."""
    return FollowJointTrajectory.Goal(trajectory=joint_trajectory())


def joint_trajectory() -> JointTrajectory:
    """Return a short motion of the first joint."""
    message = JointTrajectory(joint_names=JOINTS)
    for second in (0, 2):
        point = JointTrajectoryPoint(positions=[HOME[0] + 0.05 * second, *HOME[1:]], velocities=[0.0] * 7)
        point.time_from_start.sec = second
        message.points.append(point)
    return message


def image(encoding: str) -> Image:
    """Return a small picture."""
    width = {"mono8": 1, "bgra8": 4}.get(encoding, 3)
    return Image(encoding=encoding, height=4, width=6, step=6 * width, data=bytes(24 * width))


def compressed() -> CompressedImage:
    """Return a small picture as a PNG."""
    import cv2

    _, data = cv2.imencode(".png", np.zeros((4, 6, 3), np.uint8))
    return CompressedImage(format="png", data=data.tobytes())


def observation() -> Observation:
    """Return an observation of one camera."""
    message = Observation(
        joint_names=JOINTS, joint_position=HOME, ee_pose=pose(), ee_pose_valid=True, gripper_width=0.08
    )
    message.images = [CameraImage(name="front", image=image("rgb8"))]
    return message


def _raw(message: Image) -> None:
    rgb = ImageConverter().raw_to_rgb(message)
    if rgb.shape != (message.height, message.width, 3):
        raise PromiseError(f"an image has shape {rgb.shape}")


def _compressed(message: CompressedImage) -> None:
    rgb = ImageConverter().compressed_to_rgb(message)
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise PromiseError(f"an image has shape {rgb.shape}")


def _points(message: JointTrajectory) -> None:
    age = age_from_msg(message, 10**18)
    joints = Joints(tuple(JOINTS), np.full(7, -2.9), np.full(7, 2.9))
    check_trajectory(message.joint_names, points_from_msg(message), joints, age)
