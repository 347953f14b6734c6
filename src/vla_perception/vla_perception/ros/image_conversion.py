# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs images to RGB: by cv_bridge where ROS ships it, by this package's decoder otherwise."""

from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from vla_perception.image.decoding import RawImage, checked_layout, decode_compressed, decode_raw
from vla_perception.image.encodings import Uint8Array

BRIDGED = frozenset({"rgb8", "bgr8", "rgba8", "bgra8", "mono8", "mono16", "yuv422", "yuv422_yuy2"})
"""Encodings for which cv_bridge converts as this package does."""


def find_bridge() -> Any | None:
    """A CvBridge, or None where there is none that works with the installed NumPy."""
    try:
        from cv_bridge import CvBridge

        return CvBridge()
    except (ImportError, AttributeError):
        return None


class ImageConverter:
    """Converts messages; malformed ones raise ImageError whichever way they go."""

    def __init__(self, bridge: Any | None = None) -> None:
        self._bridge = bridge

    @property
    def uses_bridge(self) -> bool:
        """Whether cv_bridge is in use."""
        return self._bridge is not None

    def raw_to_rgb(self, message: Image) -> Uint8Array:
        """RGB (H, W, 3) of an uncompressed image. Raises ImageError."""
        image = raw_from_msg(message)
        checked_layout(image)
        if self._bridge is not None and image.encoding in BRIDGED:
            try:
                return np.asarray(self._bridge.imgmsg_to_cv2(message, "rgb8"), dtype=np.uint8)
            except Exception:
                self._bridge = None  # builds of it that fit neither this NumPy nor this Python fail in many ways
        return decode_raw(image)

    def compressed_to_rgb(self, message: CompressedImage) -> Uint8Array:
        """RGB (H, W, 3) of a JPEG or PNG. Raises ImageError."""
        return decode_compressed(content_of(message), message.format)


def content_of(message: Image | CompressedImage) -> Uint8Array:
    """The message's bytes (n,), not copied."""
    return np.asarray(message.data, dtype=np.uint8)


def raw_from_msg(message: Image) -> RawImage:
    """The fields of the message; the data is not copied."""
    return RawImage(
        message.encoding, message.height, message.width, message.step, bool(message.is_bigendian), content_of(message)
    )
