# SPDX-License-Identifier: Apache-2.0
"""Bags that the tests write: an arm that moves on a line, seen by a camera."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mcap_ros2._dynamic import serialize_dynamic
from vla_recorder.bag.bag import Recorded, Topic
from vla_recorder.bag.writer import BagWriter

JOINTS = tuple(f"fr3_joint{i}" for i in range(1, 8))
FINGER = "fr3_finger_joint1"
START_NS, S = 1_700_000_000_123_456_789, 10**9
PARTS = {
    "std_msgs/Header": "builtin_interfaces/Time stamp\nstring frame_id",
    "builtin_interfaces/Time": "int32 sec\nuint32 nanosec",
    "geometry_msgs/Pose": "geometry_msgs/Point position\ngeometry_msgs/Quaternion orientation",
    "geometry_msgs/Point": "float64 x\nfloat64 y\nfloat64 z",
    "geometry_msgs/Quaternion": "float64 x\nfloat64 y\nfloat64 z\nfloat64 w",
}
TYPES = {
    "sensor_msgs/msg/CompressedImage": "std_msgs/Header header\nstring format\nuint8[] data",
    "sensor_msgs/msg/JointState": "std_msgs/Header header\nstring[] name\nfloat64[] position",
    "geometry_msgs/msg/PoseStamped": "std_msgs/Header header\ngeometry_msgs/Pose pose",
    "vla_msgs/msg/ControllerStatus": "std_msgs/Header header\nstring[] joint_names\nfloat64[] setpoint\n"
    "geometry_msgs/Pose ee_setpoint\nfloat64 gripper\nbool intervention",
}
CAMERA, STATES, POSE, STATUS = "/camera/image_raw/compressed", "/joint_states", "/vla/ee_pose", "/vla/controller_status"
KINDS = dict(zip((CAMERA, STATES, POSE, STATUS), TYPES, strict=True))


def _topic(name: str) -> Topic:
    parts = "".join(f"\n{'=' * 80}\nMSG: {part}\n{text}" for part, text in PARTS.items())
    return Topic(name, KINDS[name], TYPES[KINDS[name]] + parts)


TOPICS = {name: _topic(name) for name in KINDS}
ENCODERS = {name: serialize_dynamic(t.type, t.definition)[t.type] for name, t in TOPICS.items()}


def position(seconds: float) -> float:
    """Where everything is: the tool's x [m], each joint [rad]."""
    return 0.3 + 0.05 * seconds


def image(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The camera's image, (48, 64, 3)."""
    return np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def _pose(x: float) -> dict[str, Any]:
    return {"position": {"x": x, "y": 0.0, "z": 0.4}, "orientation": {"x": 1.0, "y": 0.0, "z": 0.0, "w": 0.0}}


def _content(topic: str, number: int, seconds: float) -> dict[str, Any]:
    at = position(seconds)
    if topic == CAMERA:
        _, data = cv2.imencode(".png", image(number)[:, :, ::-1])
        return {"format": "rgb8; png compressed bgr8", "data": data.tobytes()}
    if topic == STATES:
        return {"name": [*JOINTS, FINGER], "position": [at] * 7 + [0.02]}
    if topic == POSE:
        return {"pose": _pose(at)}
    gripper, taken = 1.0 if seconds < 1.0 else 0.0, 1.0 <= seconds < 1.5
    common = {"joint_names": list(JOINTS), "setpoint": [at] * 7}
    return {**common, "ee_setpoint": _pose(at), "gripper": gripper, "intervention": taken}


def write_bag(
    folder: Path,
    seconds: float = 2.0,
    rates: dict[str, float] | None = None,
    custom: dict[str, str] | None = None,
    change: Callable[[str, int, dict[str, Any]], int | None] = lambda topic, number, content: 0,
) -> Path:
    """Write a bag. `change` may alter a message and returns what is added to its stamp [ns]; None leaves it out."""
    texts = {"task": "push the block", "success": "true", "robot": "fr3"} | (custom or {})
    rates = {CAMERA: 20.0, STATES: 100.0, POSE: 100.0, STATUS: 20.0} | (rates or {})
    messages = []
    for topic, rate in rates.items():
        for number in range(int(seconds * rate) + 1 if rate else 0):
            content = _content(topic, number, number / rate)
            shift = change(topic, number, content)
            if shift is not None:
                log_ns = START_NS + round(number / rate * S)
                stamp = log_ns + shift
                content["header"] = {"stamp": {"sec": stamp // S, "nanosec": stamp % S}, "frame_id": ""}
                messages.append(Recorded(TOPICS[topic], log_ns + 1000, log_ns, ENCODERS[topic](content)))
    writer = BagWriter(folder, texts)
    for message in sorted(messages, key=lambda item: item.log_ns):
        writer.write(message)
    writer.close({})
    return folder
