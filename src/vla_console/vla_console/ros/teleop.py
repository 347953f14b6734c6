# SPDX-License-Identifier: Apache-2.0
"""A page's deadman and axes to the controller. Each message of the page is one command; nothing is repeated here.

So a page that falls silent, for whatever reason, is a silent device, and the controller stops the arm by itself.
"""

from __future__ import annotations

import math
import os
import socket
import time
from dataclasses import dataclass

from geometry_msgs.msg import Twist, Vector3
from rclpy.node import Node
from rclpy.qos import QoSProfile
from vla_core.ros.time import time_from_seconds

from vla_console.commands import Drive
from vla_console.errors import ConsoleError
from vla_console.settings import ConsoleSettings
from vla_msgs.msg import TeleopCommand

RELIABLE = QoSProfile(depth=10)  # a deadman that opens must not be lost
CLOSING_S = 0.5  # [s] from the last hold of a page that is closed to the end of its connection
TOO_OLD_S = 0.2  # [s] that a command may have waited on its way


@dataclass(slots=True)
class _Hand:
    """What is known of a page that drives."""

    device: str
    held: bool = False
    released: float = -math.inf  # [s] when it last let go
    offset: float = math.inf  # [s] least difference of the two clocks that was seen


class TeleopLink:
    """Publishes vla_msgs/TeleopCommand for every page that drives, under a name of its own."""

    def __init__(self, node: Node, settings: ConsoleSettings, frame: str) -> None:
        """`frame`: the robot's base frame."""
        self._node, self._settings, self._frame = node, settings, frame
        self._publisher = node.create_publisher(TeleopCommand, "vla/teleop_command", RELIABLE)
        self._hands: dict[str, _Hand] = {}

    def drive(self, source: str, wish: Drive, active: bool) -> str:
        """Pass a page's wish on. Raises ConsoleError for one that came too late, or that cannot be passed on."""
        hand = self._hands.setdefault(source, _Hand(self._device(source)))
        age = self._age(hand, wish.at)
        held = wish.held and active
        if held != hand.held:
            self._node.get_logger().info(f"{source}: {'takes' if held else 'lets go of'} the arm")
        hand.released = time.monotonic() if hand.held and not held else hand.released
        hand.held = held
        if wish.held and not held:
            raise ConsoleError("console_node is inactive: the arm cannot be driven")
        if held and age > TOO_OLD_S:
            raise ConsoleError(f"a command was {age:.2f} s on its way; valid: {TOO_OLD_S:g} s")
        message = TeleopCommand(device=hand.device, held=held, gripper=wish.gripper)
        moves = any((*wish.linear, *wish.angular))
        message.drive = TeleopCommand.DRIVE_TWIST if held and moves else TeleopCommand.DRIVE_NONE
        message.twist = self._twist(wish)
        message.header.frame_id = "tool" if wish.frame == "tool" else self._frame
        message.header.stamp = time_from_seconds(self._node.get_clock().now().nanoseconds * 1e-9 - age)
        self._publisher.publish(message)
        return ""

    def lose(self, source: str) -> None:
        """Let the arm stand that a lost page held; the silence after that halts it, as that of any device.

        A page that is closed or reloaded lets go before it is gone: that is a lost page too, and no hand-over.
        """
        hand = self._hands.pop(source, None)
        if hand is None or not (hand.held or time.monotonic() - hand.released < CLOSING_S):
            return
        self._node.get_logger().warning(f"{source}: lost while it drove; the arm stops")
        message = TeleopCommand(device=hand.device, held=True, drive=TeleopCommand.DRIVE_NONE, gripper=math.nan)
        message.header.frame_id = self._frame
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _age(self, hand: _Hand, at: float) -> float:
        """Return how much longer [s] than the quickest a command was on its way."""
        offset = time.monotonic() - at
        hand.offset = min(hand.offset, offset)
        return offset - hand.offset

    def _twist(self, wish: Drive) -> Twist:
        top = (self._settings.teleop_linear_speed, self._settings.teleop_angular_speed)
        linear, angular = (
            Vector3(x=share[0] * speed, y=share[1] * speed, z=share[2] * speed)
            for share, speed in zip((wish.linear, wish.angular), top, strict=True)
        )
        return Twist(linear=linear, angular=angular)

    def _device(self, source: str) -> str:
        number = source.split()[1] if len(source.split()) > 1 else source
        return f"console-{number}@{socket.gethostname()[:32]}-{os.getpid()}"
