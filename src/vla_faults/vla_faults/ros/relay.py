# SPDX-License-Identifier: Apache-2.0
"""One arrow: messages from the real topic to the one that the consumers read, with a fault between them."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message

from vla_faults.arrows import Arrow
from vla_faults.corruptions import corruption
from vla_faults.fault import Fault
from vla_faults.kinds import Alter
from vla_faults.ros.types import message_type
from vla_faults.stream import FaultyStream, unaltered


class Relay:
    """Passes the bytes of messages on; only a fault of their contents reads them."""

    def __init__(self, node: Node, arrow: Arrow, on_waiting: Callable[[], None]) -> None:
        """Create the subscription and the publisher on ``node``; ``on_waiting`` is called when a message is to wait."""
        self.arrow, self.stream, self._on_waiting = arrow, FaultyStream[bytes](), on_waiting
        self._log = node.get_logger()
        self._type = message_type(arrow.type_name)
        publish, subscribe = node.create_publisher, node.create_subscription  # of any topic: no fixed interface
        self._publisher = publish(self._type, arrow.detour, _profile(arrow.depth, arrow.lossy))
        subscribe(self._type, arrow.topic, self._on_message, _profile(arrow.depth, arrow.sensor), raw=True)

    def begin(self, fault: Fault) -> None:
        """Let a fault begin; raises FaultError for a corruption that the type does not have."""
        self.stream.begin(fault, time.monotonic(), self._alter(fault))

    def turn(self) -> None:
        """Send what waited until now."""
        for message in self.stream.due(time.monotonic()):
            self._publisher.publish(message)

    def _alter(self, fault: Fault) -> Alter[bytes]:
        if fault.kind not in ("wrong", "garbage"):
            return unaltered
        if fault.kind == "garbage" and fault.detail == "bytes":
            return lambda message, _, rng: rng.randbytes(min(len(message), 4096))
        change = corruption(self.arrow.type_name, fault)

        def alter(message: bytes, magnitude: float, rng: random.Random) -> bytes:
            try:
                return bytes(serialize_message(change(deserialize_message(message, self._type), magnitude, rng)))
            except (AssertionError, ValueError, TypeError) as error:  # what the type cannot hold at all
                self._log.warning(f"{self.arrow.name}: {type(error).__name__}: {error}", throttle_duration_sec=5.0)
                return message

        return alter

    def _on_message(self, message: bytes) -> None:
        for sent in self.stream.push(message, time.monotonic()):
            self._publisher.publish(sent)
        if self.stream.next_due < math.inf:
            self._on_waiting()


def _profile(depth: int, best_effort: bool) -> QoSProfile:
    reliability = ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
    return QoSProfile(depth=depth, reliability=reliability)
