# SPDX-License-Identifier: Apache-2.0
"""Serialized sensor_msgs/Image to serialized sensor_msgs/CompressedImage."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from vla_recorder.bag.bag import Recorded, Topic
from vla_recorder.bag.definition import message_definition
from vla_recorder.pictures import compress

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


class ImageCompressor:
    """Stores images as JPEG or PNG on TOPIC/compressed; what it cannot compress stays as it is."""

    def __init__(self, form: str, quality: int) -> None:
        """`form`: jpeg or png; `quality`: of JPEG [%]."""
        self._form, self._quality = form, quality
        self._definition = message_definition(COMPRESSED, lambda name: Path(get_package_share_directory(name)))
        self._topics: dict[Topic, Topic] = {}
        self.time_s = 0.0  # [s] spent

    def __call__(self, message: Recorded) -> Recorded:
        """Return the message to store."""
        if message.topic.type != IMAGE:
            return message
        started = time.monotonic()
        image = deserialize_message(message.data, Image)
        shape = (image.encoding, image.height, image.width, image.step)
        packed = None if image.is_bigendian else compress(image.data, *shape, self._form, self._quality)
        if packed is None:
            return message
        compressed = CompressedImage(header=image.header, format=packed[0])
        compressed.data.frombytes(packed[1])  # an array: assigning bytes would check them one by one
        data = bytes(serialize_message(compressed))
        self.time_s += time.monotonic() - started
        return message._replace(topic=self._target(message.topic), data=data)

    def _target(self, topic: Topic) -> Topic:
        if topic not in self._topics:
            name = f"{topic.name}/compressed"
            self._topics[topic] = replace(topic, name=name, type=COMPRESSED, definition=self._definition, type_hash="")
        return self._topics[topic]
