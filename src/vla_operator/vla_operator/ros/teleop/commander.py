# SPDX-License-Identifier: Apache-2.0
"""The way to the controller and back: commands out, who has the arm and where it is in."""

from __future__ import annotations

import math

from geometry_msgs.msg import Pose, Twist, Vector3
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Header
from vla_core.ros.time import time_from_seconds

from vla_msgs.msg import ControllerStatus, TeleopCommand
from vla_operator.settings import TeleopSettings
from vla_operator.teleop.driver import Wish

_QOS = QoSProfile(depth=10)  # reliable: a deadman that opens must not be lost
_ARRIVAL = Duration(seconds=0.3)
PERIOD = 1.0 / 30.0  # [s] at which an unchanged command is repeated


class Commander:
    """Publishes TeleopCommand for one device, on a change at once, else at 30 Hz."""

    def __init__(self, node: Node, settings: TeleopSettings, device: str) -> None:
        """Create publisher and subscription on ``node``."""
        self.device = device
        self.status: ControllerStatus | None = None  # the controller's latest
        self._node = node
        self._publisher = node.create_publisher(TeleopCommand, settings.command_topic, _QOS)
        node.create_subscription(ControllerStatus, settings.status_topic, self._on_status, 1)
        self._sent: TeleopCommand | None = None
        self._when = -math.inf  # [s] when it was sent

    @property
    def base_frame(self) -> str:
        """The robot's base frame; empty before the controller's first status."""
        return "" if self.status is None else str(self.status.header.frame_id)

    @property
    def gripper(self) -> float:
        """Opening that the gripper was commanded last, by whomever; NaN where it is not known."""
        return math.nan if self.status is None else float(self.status.gripper)

    @property
    def holds(self) -> bool:
        """Whether the deadman was closed in the latest command."""
        return self._sent is not None and bool(self._sent.held)

    @property
    def drives(self) -> bool:
        """Whether the latest command was to move."""
        return self.holds and self._sent is not None and self._sent.drive != TeleopCommand.DRIVE_NONE

    def send_wish(self, wish: Wish, now: float, age: float = 0.0) -> None:
        """Send a velocity, at ``now`` [s] of the monotonic clock; the device was read ``age`` [s] ago."""
        linear, angular = (Vector3(x=v[0], y=v[1], z=v[2]) for v in (wish.linear.tolist(), wish.angular.tolist()))
        frame = "tool" if wish.frame == "tool" else self.base_frame
        drive = TeleopCommand.DRIVE_TWIST if wish.moves else TeleopCommand.DRIVE_NONE
        message = TeleopCommand(held=wish.held, drive=drive, gripper=wish.gripper)
        message.twist, message.header.frame_id = Twist(linear=linear, angular=angular), frame
        message.header.stamp = time_from_seconds(self._clock() - age)
        self.send(message, now)

    def send_pose(self, pose: Pose, header: Header, gripper: float, now: float) -> None:
        """Send a target pose, given in ``header``'s frame and at its time, to a held device."""
        message = TeleopCommand(held=True, drive=TeleopCommand.DRIVE_POSE, pose=pose, gripper=gripper, header=header)
        self.send(message, now)

    def send_twist(self, twist: Twist, header: Header, gripper: float, now: float) -> None:
        """Send a velocity, along the axes of ``header``'s frame and at its time, to a held device."""
        message = TeleopCommand(held=True, drive=TeleopCommand.DRIVE_TWIST, twist=twist, gripper=gripper, header=header)
        self.send(message, now)

    def stand(self, held: bool, now: float) -> None:
        """Send that the arm is to stand still, the deadman ``held`` or open."""
        self.send(TeleopCommand(held=held, gripper=math.nan), now)

    def let_go(self, now: float) -> None:
        """Open the deadman, and wait until that has arrived: the process may end then."""
        self.stand(held=False, now=now)
        self._publisher.wait_for_all_acked(_ARRIVAL)

    def send(self, message: TeleopCommand, now: float) -> None:
        """Send a message, unless it says what the one before said a moment ago. A stamp of 0 becomes the present."""
        same = self._sent is not None and _same(message, self._sent)
        if same and now - self._when < PERIOD - 1e-3:
            return
        self._sent, self._when = message, now
        message.device = self.device
        if message.header.stamp.sec == 0:
            message.header.stamp = time_from_seconds(self._clock())
        self._publisher.publish(message)

    def _clock(self) -> float:
        return float(self._node.get_clock().now().nanoseconds * 1e-9)

    def _on_status(self, msg: ControllerStatus) -> None:
        self.status = msg


def _same(one: TeleopCommand, other: TeleopCommand) -> bool:
    keys = ("held", "drive", "twist", "pose")
    gripper = one.gripper == other.gripper or (math.isnan(one.gripper) and math.isnan(other.gripper))
    return gripper and all(getattr(one, key) == getattr(other, key) for key in keys)
