# SPDX-License-Identifier: Apache-2.0
"""Between messages and the simulator's own data."""

from array import array
from collections.abc import Mapping

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, Pose, Quaternion, TransformStamped, Vector3
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from vla_core.ros.time import time_from_ns

from vla_msgs.msg import SceneState
from vla_sim.run.loops import Shot
from vla_sim.world.simulation import JointReading, SceneReading


def header(stamp_ns: int, frame: str = "") -> Header:
    """A header."""
    return Header(stamp=time_from_ns(stamp_ns), frame_id=frame)


def pose_to_msg(pose: np.ndarray) -> Pose:
    """A pose (7,): x y z, quaternion x y z w."""
    x, y, z, qx, qy, qz, qw = pose.tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def joints_to_msg(reading: JointReading) -> JointState:
    """Positions and velocities; a position-controlled arm reports no effort."""
    return JointState(
        header=header(reading.stamp_ns),
        name=list(reading.names),
        position=reading.positions.tolist(),
        velocity=reading.velocities.tolist(),
    )


def scene_to_msg(reading: SceneReading, frame: str) -> SceneState:
    """Ground truth."""
    return SceneState(
        header=header(reading.stamp_ns, frame),
        names=list(reading.objects),
        poses=[pose_to_msg(pose) for pose in reading.objects.values()],
        ee_pose=pose_to_msg(reading.tcp),
        gripper_width=reading.gripper_width,
    )


def image_to_msg(shot: Shot, frame: str) -> Image:
    """An rgb8 image."""
    height, width, _ = shot.image.shape
    message = Image(header=header(shot.stamp_ns, frame), height=height, width=width, encoding="rgb8", step=3 * width)
    message.data = array("B", shot.image.tobytes())
    return message


def camera_info_to_msg(shot: Shot, frame: str) -> CameraInfo:
    """A pinhole camera without distortion."""
    height, width, _ = shot.image.shape
    message = CameraInfo(header=header(shot.stamp_ns, frame), height=height, width=width, distortion_model="plumb_bob")
    message.d = [0.0] * 5
    message.k = shot.intrinsics.ravel().tolist()
    message.r = np.eye(3).ravel().tolist()
    message.p = np.pad(shot.intrinsics, ((0, 0), (0, 1))).ravel().tolist()
    return message


def status_to_msg(name: str, warning: str, values: Mapping[str, object]) -> DiagnosticStatus:
    """One line of /diagnostics: a warning, or all is well."""
    return DiagnosticStatus(
        level=DiagnosticStatus.WARN if warning else DiagnosticStatus.OK,
        name=name,
        message=warning or "ok",
        hardware_id="simulation",
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def transform_to_msg(stamp_ns: int, parent: str, child: str, pose: np.ndarray) -> TransformStamped:
    """Where the frame `child` is in `parent`: a pose (7,), x y z, quaternion x y z w."""
    placed = pose_to_msg(pose)
    message = TransformStamped(header=header(stamp_ns, parent), child_frame_id=child)
    message.transform.translation = Vector3(x=placed.position.x, y=placed.position.y, z=placed.position.z)
    message.transform.rotation = placed.orientation
    return message
