# SPDX-License-Identifier: Apache-2.0
"""Other publishers that command the same arm."""

from __future__ import annotations

from rclpy.node import Node

from vla_controller.refusals import Refusal


class Rivals:
    """Counts the publishers of the arm's topic."""

    def __init__(self, node: Node, topic: str) -> None:
        """``topic`` that the arm takes its commands from, as the node knows it: remapping applies."""
        self._node, self._topic = node, node.resolve_topic_name(topic)

    def look(self, own: int) -> Refusal | None:
        """Refusal while anybody beside this node's ``own`` publishers commands the arm."""
        count = self._node.count_publishers(self._topic) - own
        if count <= 0:
            return None
        return Refusal("other_publisher", f"{count} other publisher(s) command the arm on {self._topic}")
