# SPDX-License-Identifier: Apache-2.0
"""cv_bridge beside the package's own decoder."""

import numpy as np
import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import Image
from vla_perception.errors import ImageError
from vla_perception.image.decoding import decode_raw
from vla_perception.image.encodings import LAYOUTS
from vla_perception.ros.image_conversion import BRIDGED, ImageConverter, find_bridge, raw_from_msg

pytestmark = pytest.mark.node


def noise(encoding: str, padding: int = 0) -> Image:
    layout, height, width = LAYOUTS[encoding], 12, 16
    step = width * layout.pixel_bytes + (padding if layout.padded else 0)
    data = np.random.default_rng(1).integers(0, 256, step * layout.rows(height), dtype=np.uint8).tobytes()
    return Image(encoding=encoding, height=height, width=width, step=step, data=data)


@pytest.mark.parametrize("encoding", sorted(BRIDGED))
def test_cv_bridge_agrees_with_the_own_decoder(encoding: str) -> None:
    bridge = find_bridge()
    if bridge is None:
        pytest.skip("no cv_bridge here")
    converter, message = ImageConverter(bridge), noise(encoding)
    bridged = converter.raw_to_rgb(message)
    if not converter.uses_bridge:
        pytest.skip("this cv_bridge does not work with this NumPy")
    np.testing.assert_allclose(bridged, decode_raw(raw_from_msg(message)), atol=1)


class BrokenBridge:
    """Fails as builds for another NumPy do."""

    def imgmsg_to_cv2(self, message: Image, encoding: str) -> np.ndarray:
        raise RuntimeError("_ARRAY_API not found")


@pytest.mark.parametrize("encoding", sorted(LAYOUTS))
def test_a_broken_bridge_is_replaced(encoding: str) -> None:
    converter, message = ImageConverter(BrokenBridge()), noise(encoding, padding=4)
    np.testing.assert_array_equal(converter.raw_to_rgb(message), decode_raw(raw_from_msg(message)))
    assert converter.uses_bridge == (encoding not in BRIDGED)


def test_malformed_images_never_reach_the_bridge() -> None:
    converter, message = ImageConverter(BrokenBridge()), noise("rgb8")
    message.data = message.data[:-1]
    with pytest.raises(ImageError, match="truncated"):
        converter.raw_to_rgb(message)
    assert converter.uses_bridge


def test_an_empty_message_is_refused() -> None:
    with pytest.raises(ImageError):
        ImageConverter().raw_to_rgb(Image())
