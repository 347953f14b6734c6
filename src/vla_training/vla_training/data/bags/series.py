# SPDX-License-Identifier: Apache-2.0
"""What a bag recorded of one episode, as series with stamps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from vla_core.observation_map.observation_map import ObservationMap
from vla_recorder.bag.reader import Bag

from vla_training.data.bags.resample import FloatArray, Times
from vla_training.data.lerobot.schema import DatasetError

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
REFERENCE_TOPIC = "/camera/image_raw"  # of a map's first camera that names none
JOINTS, POSE, STATUS = "sensor_msgs/msg/JointState", "geometry_msgs/msg/PoseStamped", "vla_msgs/msg/ControllerStatus"
INSTRUCTION = "vla_msgs/msg/Instruction"
LATE_S = 0.2  # [s] from the stamp to the reception, beyond which a frame counts as late
JUMP_S = 1.0  # [s] change of the difference of stamp and reception that is a step of a clock
S = 1e9


@dataclass(slots=True)
class Series:
    """Stamps [ns], times of reception [ns] and contents of a topic, in the order of reception."""

    topic: str
    stamps: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    contents: list[Any] = field(default_factory=list)

    def add(self, stamp_ns: int, log_ns: int, content: Any) -> None:
        """Append a message; one without a stamp counts as of its reception."""
        self.stamps.append(stamp_ns or log_ns)
        self.received.append(log_ns)
        self.contents.append(content)

    def in_order(self) -> tuple[Times, list[Any]]:
        """Return rising stamps (n,), each once, and their contents. Raises DatasetError for a clock that jumps."""
        if not self.stamps:
            raise DatasetError(f"{self.topic} has no message")
        stamps, received = np.array(self.stamps, dtype=np.int64), np.array(self.received, dtype=np.int64)
        offset = (stamps - received) / S
        jumps = np.flatnonzero(np.abs(np.diff(offset)) > JUMP_S)
        if len(jumps):
            at = int(jumps[0]) + 1
            raise DatasetError(
                f"{self.topic}, message {at}: its clock jumps by {offset[at] - offset[at - 1]:+.1f} s; valid: one clock"
            )
        unique, first = np.unique(stamps, return_index=True)
        return unique, [self.contents[i] for i in first]

    @property
    def late(self) -> int:
        """Number of messages that came LATE_S after their stamp."""
        return int((np.array(self.received) - np.array(self.stamps) > LATE_S * S).sum())


@dataclass(slots=True)
class Recording:
    """The series of one bag."""

    cameras: Mapping[str, Series]  # by the camera's name in the map; contents: messages
    joints: Mapping[str, Series]  # by the name of the joint; contents: positions
    poses: Series | None  # contents: x y z, quaternion x y z w
    status: Series  # contents: ControllerStatus
    instruction: str


def read(bag: Bag, observation_map: ObservationMap) -> Recording:
    """Read what the map needs. Raises DatasetError for a topic that is missing, RecordingError for a damaged bag."""
    cameras = {c.name: Series(_image_topic(bag, c.topic or REFERENCE_TOPIC, c.name)) for c in observation_map.cameras}
    states, status = _topic(bag, JOINTS, "joint_states"), Series(controller_topic(bag))
    named = [name for name in bag.topics_of(POSE) if name.endswith("/ee_pose")]
    poses = Series(named[0]) if named else None
    found = {item.topic: item for item in (*cameras.values(), status, *([poses] if poses else []))}
    joints: dict[str, Series] = {}
    told, instruction = bag.topics_of(INSTRUCTION), ""
    for topic, log_ns, content in bag.messages([*found, states, *told]):
        if topic in told:
            instruction = content.text if content.kind == 0 else instruction
            continue
        if topic == status.topic and not content.setpoint:
            continue  # the controller knows no joint state yet
        stamp_ns = content.header.stamp.sec * 10**9 + content.header.stamp.nanosec
        if topic == states:
            for name, position in zip(content.name, content.position, strict=False):  # arm and gripper may alternate
                joints.setdefault(name, Series(f"{states}, joint {name}")).add(stamp_ns, log_ns, position)
        else:
            kept = pose_numbers(content.pose) if poses is not None and topic == poses.topic else content
            found[topic].add(stamp_ns, log_ns, kept)
    return Recording(cameras, joints, poses, status, instruction)


def pose_numbers(pose: Any) -> FloatArray:
    """Return x y z and the quaternion x y z w of a geometry_msgs/Pose, (7,)."""
    p, q = pose.position, pose.orientation
    return np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])


def controller_topic(bag: Bag) -> str:
    """Return the bag's topic of the controller's status. Raises DatasetError unless there is one."""
    return _topic(bag, STATUS, "controller_status")


def _image_topic(bag: Bag, topic: str, camera: str) -> str:
    """The bag's topic of a camera, compressed or not, also under a namespace."""
    images = [name for kind in IMAGES for name in bag.topics_of(kind)]
    ends = (topic, f"{topic}/compressed")
    found = [name for name in images if name in ends] or [name for name in images if name.endswith(ends)]
    if len(found) != 1:
        raise DatasetError(
            f"camera {camera} of the map is {topic}, of which the bag has {len(found)}; its images: {_listed(images)}"
        )
    return found[0]


def _topic(bag: Bag, kind: str, ending: str) -> str:
    every = bag.topics_of(kind)
    found = [name for name in every if name.endswith(f"/{ending}")] if len(every) > 1 else every
    if len(found) != 1:
        raise DatasetError(
            f"the bag has {len(found)} topics …/{ending} of {kind}; valid is one; found: {_listed(every)}"
        )
    return found[0]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
