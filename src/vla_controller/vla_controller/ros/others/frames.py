# SPDX-License-Identifier: Apache-2.0
"""Chunks in other frames, by the transforms on tf_static.

A listener of its own and not tf2_ros: ROS 2 from wheels has none, and static transforms need neither time nor a buffer.
"""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage
from vla_core.action import ActionChunk
from vla_core.rotation import Pose

from vla_controller.intake.frames import FrameTree, chunk_in
from vla_controller.intake.targets import JOINT_MODES

_STATIC = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Frames:
    """Follows tf_static."""

    def __init__(self, node: Node, base_frame: str) -> None:
        """`base_frame` is the one that chunks are wanted in."""
        self._base_frame, self._tree = base_frame, FrameTree()
        self._log = node.get_logger()
        node.create_subscription(TFMessage, "tf_static", self._on_transforms, _STATIC)

    def resolve(self, chunk: ActionChunk) -> ActionChunk:
        """Return the chunk in the base frame; as it is where its frame is unknown, for the gate to refuse."""
        if chunk.mode in JOINT_MODES or chunk.frame_id == self._base_frame:
            return chunk
        pose = self._tree.pose(chunk.frame_id, self._base_frame)
        return chunk if pose is None else chunk_in(chunk, self._base_frame, pose)

    def pose(self, frame: str) -> Pose | None:
        """Return the pose of ``frame`` in the base frame; None where it is not known."""
        return self._tree.pose(frame, self._base_frame)

    def _on_transforms(self, msg: TFMessage) -> None:
        for item in msg.transforms:
            t, r = item.transform.translation, item.transform.rotation
            pose = Pose(np.array([t.x, t.y, t.z]), np.array([r.x, r.y, r.z, r.w]))
            if not self._tree.set(item.header.frame_id, item.child_frame_id, pose):
                text = f"invalid transform from {item.header.frame_id!r} to {item.child_frame_id!r} ignored: {pose}"
                self._log.warning(text, throttle_duration_sec=10.0)
