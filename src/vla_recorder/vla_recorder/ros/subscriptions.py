# SPDX-License-Identifier: Apache-2.0
"""Finds the topics of the graph and subscribes to their bytes."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from vla_recorder.bag.bag import Recorded, Topic
from vla_recorder.bag.definition import message_definition
from vla_recorder.errors import RecordingError
from vla_recorder.settings import RecorderSettings

DEPTH = 100  # messages that may wait while Python is busy
NEVER = ("*/_*", "/parameter_events", "*/transition_event", "*/observation")  # hidden, bookkeeping, images once more
COMPRESSED = "/compressed"


class Subscriptions:
    """Subscribes to each topic that the settings ask for as it appears; never reliably, so that no publisher waits.

    Topics that publishers keep for late comers are the exception: their latest messages come over a reliable
    connection alone.
    """

    def __init__(self, node: Node, settings: RecorderSettings, take: Callable[[Recorded, bool], None]) -> None:
        """`take`: called with each message, and whether its topic keeps messages for late comers."""
        self._node, self._take = node, take
        self._wanted, self._unwanted = settings.topics or _graph_of(node), (*NEVER, *settings.exclude)
        self._compresses = settings.images != "raw"
        self._refused: set[str] = set()
        self.topics: dict[str, Topic] = {}

    def look(self) -> None:
        """Subscribe to what is new in the graph."""
        names = dict(self._node.get_topic_names_and_types())
        for name, types in names.items():
            if name in self.topics or name in self._refused or not self._is_wanted(name):
                continue
            if self._compresses and self._node.count_publishers(name + COMPRESSED):
                continue  # its driver compresses already
            if self._node.count_publishers(name):
                self._subscribe(name, types)

    def _is_wanted(self, name: str) -> bool:
        chosen = any(fnmatchcase(name, pattern) for pattern in self._wanted)
        return chosen and not any(fnmatchcase(name, pattern) for pattern in self._unwanted)

    def _subscribe(self, name: str, types: list[str]) -> None:
        try:
            if len(types) != 1:
                raise RecordingError(f"it has the types {', '.join(types)}; valid is one")
            topic, latched = self._describe(name, types[0])
            message_type = message_class(types[0])
        except RecordingError as error:
            self._refused.add(name)
            self._node.get_logger().warning(f"{name} is not recorded: {error}")
            return
        profile = QoSProfile(
            depth=DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if latched else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )

        def receive(data: bytes, info: dict[str, int]) -> None:
            now_ns = time.time_ns()
            self._take(
                Recorded(topic, info["received_timestamp"] or now_ns, info["source_timestamp"] or now_ns, data), latched
            )

        subscribe = self._node.create_subscription  # of any topic: no fixed interface
        subscribe(message_type, name, receive, profile, raw=True)
        self.topics[name] = topic

    def _describe(self, name: str, type_name: str) -> tuple[Topic, bool]:
        publishers = self._node.get_publishers_info_by_topic(name)
        latched = any(p.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in publishers)
        hash_ = next((str(p.topic_type_hash) for p in publishers), "")
        profiles = tuple(_profile(p.qos_profile) for p in publishers)
        return Topic(name, type_name, message_definition(type_name, _share), hash_, profiles), latched


def _share(package: str) -> Path:
    return Path(get_package_share_directory(package))


def message_class(type_name: str) -> Any:
    """Return the class of `package/msg/Name`. Raises RecordingError where it is not installed."""
    package, _, name = type_name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise RecordingError(f"{type_name} is not installed here: {error}") from error


def _profile(qos: QoSProfile) -> dict[str, object]:
    """The profile as rosbag2 writes it."""
    return {
        "history": qos.history.name.lower(),
        "depth": qos.depth,
        "reliability": qos.reliability.name.lower(),
        "durability": qos.durability.name.lower(),
        "deadline": _time(qos.deadline.nanoseconds),
        "lifespan": _time(qos.lifespan.nanoseconds),
        "liveliness": qos.liveliness.name.lower(),
        "liveliness_lease_duration": _time(qos.liveliness_lease_duration.nanoseconds),
        "avoid_ros_namespace_conventions": bool(qos.avoid_ros_namespace_conventions),
    }


def _time(nanoseconds: int) -> dict[str, int]:
    return {"sec": nanoseconds // 10**9, "nsec": nanoseconds % 10**9}


def _graph_of(node: Node) -> tuple[str, ...]:
    """Return patterns of the topics in the node's namespace, and of the one that all graphs share."""
    namespace = node.get_namespace().rstrip("/")
    return (f"{namespace}/*", "/diagnostics")
