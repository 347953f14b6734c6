# SPDX-License-Identifier: Apache-2.0
"""Devices that are topics: sensor_msgs/Joy; TwistStamped or PoseStamped of anything, with a clutch."""

from __future__ import annotations

import math
import time
from dataclasses import replace

from geometry_msgs.msg import PoseStamped, Twist, TwistStamped, Vector3
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool, Float64, Header
from vla_core.ros.action import pose_from_msg, pose_to_msg

from vla_operator.ros.teleop.commander import Commander
from vla_operator.settings import TeleopSettings
from vla_operator.teleop.follow import PoseClutch, is_pose
from vla_operator.teleop.reading import Reading


class JoyTopic:
    """The latest sensor_msgs/Joy as a reading."""

    def __init__(self, node: Node, settings: TeleopSettings) -> None:
        """Subscribe on ``node``."""
        self._timeout, self._latest = settings.input_timeout, Reading()
        self._heard = -math.inf
        node.create_subscription(Joy, settings.joy_topic, self._on_joy, qos_profile_sensor_data)

    def read(self) -> Reading | None:
        """Return axes and buttons; None while the topic is silent."""
        age = time.monotonic() - self._heard
        return replace(self._latest, age=age) if age <= self._timeout else None

    def _on_joy(self, msg: Joy) -> None:
        self._heard = time.monotonic()
        self._latest = Reading(tuple(float(v) for v in msg.axes), tuple(bool(v) for v in msg.buttons))


class StampedTopics:
    """Passes velocities and poses on while the clutch is closed, each when it comes."""

    def __init__(self, node: Node, settings: TeleopSettings, commander: Commander) -> None:
        """Subscribe on ``node``."""
        self._settings, self._commander = settings, commander
        self._clutch = PoseClutch(settings.pose_scale, settings.pose_yaw)
        self._gripper = math.nan
        self._closed = False  # as clutch_topic said last
        self._clutched = self._moved = -math.inf  # [s] when the clutch, and motion, were told last
        node.create_subscription(TwistStamped, settings.twist_topic, self._on_twist, qos_profile_sensor_data)
        node.create_subscription(PoseStamped, settings.pose_topic, self._on_pose, qos_profile_sensor_data)
        node.create_subscription(Bool, settings.clutch_topic, self._on_clutch, 10)
        node.create_subscription(Float64, settings.gripper_topic, self._on_gripper, 10)

    def poll(self, now: float) -> None:
        """Tell an open clutch, and a closed one without motion, at ``now`` [s] of the monotonic clock.

        While the clutch's topic is silent the arm stands, and nothing more is told: the controller says so by name.
        """
        if self._settings.clutch == "topic" and now - self._clutched > self._settings.input_timeout:
            self._clutch.open()
            if self._commander.drives:
                self._commander.stand(held=True, now=now)
        elif not self._held(now):
            self._clutch.open()
            self._commander.stand(held=False, now=now)
        elif now - self._moved > self._settings.input_timeout:
            self._commander.stand(held=True, now=now)

    def _held(self, now: float) -> bool:
        if self._settings.clutch == "stream":
            return now - self._moved <= self._settings.input_timeout
        return self._closed and now - self._clutched <= self._settings.input_timeout

    def _on_clutch(self, msg: Bool) -> None:
        self._closed, self._clutched = bool(msg.data), time.monotonic()
        self.poll(self._clutched)

    def _on_gripper(self, msg: Float64) -> None:
        self._gripper = float(msg.data)

    def _on_twist(self, msg: TwistStamped) -> None:
        self._moved = now = time.monotonic()
        if not self._held(now):
            return
        twist = msg.twist
        if self._settings.twist_units == "unitless":
            share = self._settings.speed
            linear, angular = share * self._settings.linear_speed, share * self._settings.angular_speed
            twist = Twist(linear=_scaled(twist.linear, linear), angular=_scaled(twist.angular, angular))
        self._commander.send_twist(twist, self._header(msg.header), self._gripper, now)

    def _on_pose(self, msg: PoseStamped) -> None:
        self._moved = now = time.monotonic()
        if not self._held(now):
            return
        pose, header, status = msg.pose, self._header(msg.header), self._commander.status
        device = pose_from_msg(pose)
        if self._settings.pose_mode == "relative" and status is not None and is_pose(device):
            pose = pose_to_msg(self._clutch.target(device, pose_from_msg(status.ee_setpoint)))
            header.frame_id = self._commander.base_frame
        self._commander.send_pose(pose, header, self._gripper, now)

    def _header(self, given: Header) -> Header:
        frame = {"": given.frame_id, "base": self._commander.base_frame, "tool": "tool"}[self._settings.frame]
        return Header(stamp=given.stamp, frame_id=frame)


def _scaled(vector: Vector3, factor: float) -> Vector3:
    return Vector3(x=factor * vector.x, y=factor * vector.y, z=factor * vector.z)
