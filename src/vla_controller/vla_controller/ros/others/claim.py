# SPDX-License-Identifier: Apache-2.0
"""Which of two controllers of one arm gives way, whatever their names, namespaces and clocks are."""

from __future__ import annotations

import time

from rclpy.node import Node
from std_msgs.msg import Empty

_CLAIM_TIME = 5.0  # [s] after its start when a controller claims the arm, unless another one has


class OtherControllerError(RuntimeError):
    """Somebody else already commands the arm."""


class Claim:
    """The presence of a publisher on `<arm topic>/claimed` is the claim; nothing is published.

    A controller that has not claimed the arm ends when another one has. Two that claim it in the same moment both hold,
    because each counts the other's publisher to the arm.
    """

    def __init__(self, node: Node, arm_topic: str) -> None:
        """Begin the time after which the arm is claimed."""
        self._node, self._arm_topic = node, node.resolve_topic_name(arm_topic)
        self._topic = f"{self._arm_topic}/claimed"
        self._begun, self._claimed = time.monotonic(), False

    def check(self) -> None:
        """Claim the arm when it is time; raise OtherControllerError if another controller has before."""
        if self._claimed:
            return
        if self._node.count_publishers(self._topic):
            raise OtherControllerError(f"another controller_node already commands the arm on {self._arm_topic}")
        if time.monotonic() - self._begun > _CLAIM_TIME:
            self._node.create_publisher(Empty, self._topic, 1)
            self._claimed = True
