# SPDX-License-Identifier: Apache-2.0
"""Commands of a person's device, from the topic to the controller."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Vector3
from rclpy.node import Node
from rclpy.qos import QoSProfile
from vla_core.ros.action import pose_from_msg
from vla_core.ros.time import seconds_from_msg

from vla_controller.arm_controller import ArmController
from vla_controller.ros.others.frames import Frames
from vla_controller.settings import NodeSettings
from vla_controller.teleop.command import Array, TeleopCommand, in_base
from vla_msgs.msg import TeleopCommand as TeleopCommandMsg

_QOS = QoSProfile(depth=10)  # reliable: a deadman that opens must not be lost


class Teleop:
    """Takes commands of devices."""

    def __init__(self, node: Node, settings: NodeSettings, controller: ArmController, frames: Frames) -> None:
        """Subscribe on ``node``."""
        self._node, self._controller, self._frames = node, controller, frames
        node.create_subscription(TeleopCommandMsg, settings.teleop_topic, self._on_command, _QOS)

    def _on_command(self, msg: TeleopCommandMsg) -> None:
        command = command_from_msg(msg)
        frame = self._frames.pose(command.frame_id)
        now = self._node.get_clock().now().nanoseconds * 1e-9
        refusal = self._controller.teleop.take(in_base(command, self._controller.config.base_frame, frame), now)
        if refusal is not None:
            self._node.get_logger().warning(f"{refusal.name}: {refusal.reason}", throttle_duration_sec=1.0)


def command_from_msg(msg: TeleopCommandMsg) -> TeleopCommand:
    """Return what a message commands, as it came."""
    return TeleopCommand(
        seconds_from_msg(msg.header.stamp),
        msg.device,
        msg.held,
        msg.header.frame_id,
        msg.drive,
        _vector(msg.twist.linear),
        _vector(msg.twist.angular),
        pose_from_msg(msg.pose),
        msg.gripper,
    )


def _vector(msg: Vector3) -> Array:
    return np.array([msg.x, msg.y, msg.z])
