# SPDX-License-Identifier: Apache-2.0
"""Listens to a running graph for a while; sends nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String
from vla_core.ros.time import seconds_from_msg

from vla_doctor.checks.seen import Seen, Stream

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
COMPRESSED = "/compressed"  # end of a topic of sensor_msgs/CompressedImage


class Listener:
    """Collects what a node receives."""

    def __init__(self, node: Node, cameras: Sequence[str], joint_states: str, command: str) -> None:
        """Subscribe to the topics. command: where the arm takes trajectories, only looked at."""
        self._node, self._command = node, node.resolve_topic_name(command)
        self._times: dict[str, list[tuple[float, float]]] = {}
        self._position: dict[str, float] = {}
        self._description = ""
        self._cameras = [node.resolve_topic_name(topic) for topic in cameras]
        self._joint_states = node.resolve_topic_name(joint_states)
        for topic in self._cameras:
            kind = CompressedImage if topic.endswith(COMPRESSED) else Image
            self._subscribe(kind, topic, lambda message: None)
        self._subscribe(JointState, self._joint_states, self._on_joints)
        node.create_subscription(String, "robot_description", self._on_description, LATCHED)

    def listen(self, duration_s: float) -> Seen:
        """Return what was received in `duration_s` [s], and who is there at the end."""
        executor = SingleThreadedExecutor(context=self._node.context)
        executor.add_node(self._node)
        end = time.monotonic() + duration_s
        while (left := end - time.monotonic()) > 0.0:
            executor.spin_once(timeout_sec=left)
        executor.remove_node(self._node)
        return self._seen(duration_s)

    def _seen(self, duration_s: float) -> Seen:
        names = self._node.get_node_names_and_namespaces()
        full = (f"{namespace.rstrip('/')}/{name}" for name, namespace in names)
        own = self._node.get_fully_qualified_name()
        return Seen(
            duration_s=duration_s,
            nodes=tuple(name for name in full if name != own and not name.rsplit("/", 1)[-1].startswith("_")),
            cameras={topic: self._stream(topic) for topic in self._cameras},
            joint_states=self._stream(self._joint_states),
            joint_position=self._position,
            command_topic=self._command,
            command_publishers=_ends(self._node.get_publishers_info_by_topic(self._command)),
            command_subscribers=_ends(self._node.get_subscriptions_info_by_topic(self._command)),
            description=self._description,
        )

    def _stream(self, topic: str) -> Stream:
        times = self._times[topic]
        publishers = _ends(self._node.get_publishers_info_by_topic(topic))
        return Stream(tuple(stamp for stamp, _ in times), tuple(arrival for _, arrival in times), publishers)

    def _subscribe(self, kind: type[Any], topic: str, then: Callable[[Any], None]) -> None:
        self._times[topic] = []
        self._node.create_subscription(kind, topic, partial(self._on, topic, then), qos_profile_sensor_data)

    def _on(self, topic: str, then: Callable[[Any], None], message: Any) -> None:
        arrival = self._node.get_clock().now().nanoseconds * 1e-9
        self._times[topic].append((seconds_from_msg(message.header.stamp), arrival))
        then(message)

    def _on_joints(self, message: JointState) -> None:
        self._position.update(zip(message.name, message.position, strict=False))

    def _on_description(self, message: String) -> None:
        self._description = message.data


def _ends(infos: Sequence[Any]) -> tuple[str, ...]:
    return tuple(f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in infos)
