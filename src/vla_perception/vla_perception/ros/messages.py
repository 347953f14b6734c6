# SPDX-License-Identifier: Apache-2.0
"""Messages out of this package's own types."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from geometry_msgs.msg import Point, Pose, Quaternion
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vla_core.ros.time import time_from_ns

from vla_msgs.msg import CameraImage, Observation
from vla_perception.camera.observation_intake import Frame
from vla_perception.image.encodings import Uint8Array
from vla_perception.state.pose_buffer import PoseSample
from vla_perception.state.robot_state import RobotState
from vla_perception.state.stamped_ring import NS_PER_S, FloatArray


def image_to_msg(header: Header, rgb: Uint8Array) -> Image:
    """An rgb8 image of (H, W, 3)."""
    height, width = rgb.shape[:2]
    data = array("B", rgb.tobytes())  # of this type the setter checks no elements
    return Image(header=header, height=height, width=width, encoding="rgb8", step=3 * width, data=data)


def pose_to_msg(pose: PoseSample | None) -> Pose:
    """The pose; the identity for None."""
    if pose is None:
        return Pose()
    x, y, z = pose.position.tolist()
    qx, qy, qz, qw = pose.quaternion_xyzw.tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def camera_image_to_msg(name: str, frame: Frame) -> CameraImage:
    """The image of one camera with its own stamp."""
    header = Header(stamp=time_from_ns(frame.stamp_ns), frame_id=frame.frame_id)
    return CameraImage(name=name, image=image_to_msg(header, frame.image))


def observation_to_msg(
    frames: Mapping[str, Frame | str], state: RobotState, base_frame: str, sequence: int, now_ns: int
) -> Observation:
    """What the policy sees.

    ``frames`` holds each camera's image, or why there is none, the reference's image first; ``now_ns`` is the moment
    of sending.
    """
    images = {name: frame for name, frame in frames.items() if isinstance(frame, Frame)}
    missing = {name: reason for name, reason in frames.items() if isinstance(reason, str)}
    frame = next(iter(images.values()))
    return Observation(
        header=Header(stamp=time_from_ns(frame.stamp_ns), frame_id=frame.frame_id),
        sequence=sequence,
        images=[camera_image_to_msg(name, frame) for name, frame in images.items()],
        missing=list(missing),
        missing_reasons=list(missing.values()),
        joint_names=list(state.joints.names),
        joint_position=_doubles(state.joints.position),
        joint_velocity=_doubles(state.joints.velocity),
        ee_pose_valid=state.pose is not None,
        ee_pose=pose_to_msg(state.pose),
        base_frame=base_frame,
        gripper_width=state.gripper_width,
        image_age=(now_ns - frame.stamp_ns) / NS_PER_S,
        joint_state_gap=state.gap_s,
    )


def _doubles(values: FloatArray) -> array[float]:
    return array("d", values.tobytes())
