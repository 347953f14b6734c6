# SPDX-License-Identifier: Apache-2.0
"""Every camera of the graph, as JPEG, while somebody watches."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image
from vla_core.ros.time import seconds_from_msg

from vla_console.pictures import to_jpeg
from vla_console.tally import Meter

KINDS = {"sensor_msgs/msg/Image": Image, "sensor_msgs/msg/CompressedImage": CompressedImage}
COMPRESSED = "/compressed"
LATEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
MOST = 8  # cameras shown


class Cameras:
    """Subscribes to the cameras in the node's namespace, and passes their latest pictures on."""

    def __init__(self, node: Node, rate: float, quality: int, post: Callable[[str, bytes], None]) -> None:
        """`rate`: of each camera at most [Hz]; `post`: called with a camera's key and its picture, in a thread."""
        self._node, self._period, self._quality, self._post = node, 1.0 / rate, quality, post
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="camera")  # JPEG beside the executor
        self._cameras: dict[str, _Camera] = {}

    def look(self, watched: bool) -> None:
        """Subscribe to what is new in the graph; to nothing while nobody watches."""
        wanted = self._wanted() if watched else {}
        for topic in [topic for topic in self._cameras if topic not in wanted]:
            self._node.destroy_subscription(self._cameras.pop(topic).subscription)
        for topic, kind in wanted.items():
            if topic not in self._cameras:
                self._cameras[topic] = _Camera(self._node, topic, kind, self._receive)

    def state(self) -> list[dict[str, Any]]:
        """Return name, rate and problem of each camera that has sent anything."""
        now = time.monotonic()
        rows = []
        for topic, camera in sorted(self._cameras.items()):
            age = camera.meter.age(now)
            if age is not None:
                hz, problem = round(camera.meter.rate(now), 1), camera.problem
                rows.append({"name": camera.name, "topic": topic, "hz": hz, "age": round(age, 2), "problem": problem})
        return rows

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _wanted(self) -> dict[str, str]:
        """Return topic and type of each camera with a publisher; a raw image is left where it comes compressed too."""
        space = self._node.get_namespace().rstrip("/") + "/"
        types = {name: kinds[0] for name, kinds in self._node.get_topic_names_and_types() if name.startswith(space)}
        found = {name: kind for name, kind in types.items() if kind in KINDS and self._node.count_publishers(name) > 0}
        raw = [name for name in sorted(found) if name + COMPRESSED not in found]
        return {name: found[name] for name in raw[:MOST]}

    def _receive(self, camera: _Camera, data: bytes) -> None:
        now = time.monotonic()
        camera.meter.note(now)
        if now - camera.taken < self._period * 0.9 or camera.busy:
            return
        camera.taken, camera.busy = now, True
        heard = self._node.get_clock().now().nanoseconds * 1e-9
        self._pool.submit(self._pack, camera, data, heard)

    def _pack(self, camera: _Camera, data: bytes, heard: float) -> None:
        try:
            message = deserialize_message(data, KINDS[camera.kind])
            jpeg = _jpeg(message, self._quality)
            camera.problem = ""
        except ValueError as error:
            camera.problem = str(error)
            return
        finally:
            camera.busy = False
        camera.count += 1
        stamp = seconds_from_msg(message.header.stamp)
        head = {"camera": camera.name, "stamp": stamp, "heard": heard, "n": camera.count}
        self._post(camera.name, json.dumps(head).encode() + b"\n" + jpeg)


class _Camera:
    """A camera that is watched."""

    def __init__(self, node: Node, topic: str, kind: str, receive: Callable[[_Camera, bytes], None]) -> None:
        self.name = topic.removeprefix(node.get_namespace().rstrip("/")).removesuffix(COMPRESSED).strip("/")
        self.name = self.name.removesuffix("/image_raw")
        self.kind, self.problem = kind, ""
        self.meter, self.taken, self.busy, self.count = Meter(), 0.0, False, 0
        subscribe = node.create_subscription  # of any topic: no fixed interface
        self.subscription = subscribe(KINDS[kind], topic, lambda data: receive(self, data), LATEST, raw=True)


def _jpeg(message: Image | CompressedImage, quality: int) -> bytes:
    if isinstance(message, CompressedImage):
        if not bytes(message.data[:2]) == b"\xff\xd8":
            raise ValueError(f"format {message.format!r}; valid: jpeg")
        return bytes(message.data)
    if message.is_bigendian and message.encoding not in ("rgb8", "bgr8", "mono8", "rgba8", "bgra8"):
        raise ValueError("its numbers are big-endian; valid: little-endian")
    return to_jpeg(message.data, message.encoding, message.height, message.width, message.step, quality)
