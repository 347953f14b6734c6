# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a camera message to RGB pixels, without ROS."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vla_perception.errors import ImageError
from vla_perception.image.encodings import LAYOUTS, PixelLayout, Uint8Array

_JPEG_MAGIC = b"\xff\xd8\xff"
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class RawImage:
    """The fields of sensor_msgs/Image; ``data`` is a flat uint8 array of any length."""

    encoding: str
    height: int  # [pixels]
    width: int  # [pixels]
    step: int  # [bytes] from one row to the next; more than the row itself when rows are padded
    is_bigendian: bool
    data: Uint8Array  # (n,)

    @property
    def summary(self) -> str:
        """The received fields in words, for error messages."""
        return f"{self.width}x{self.height} {self.encoding!r}, step {self.step}, {self.data.size} bytes"


def decode_raw(image: RawImage) -> Uint8Array:
    """RGB pixels (height, width, 3) of an uncompressed image.

    Raises ImageError for an unknown encoding, a zero or odd size, a step shorter than a row, or too little data.
    """
    layout = checked_layout(image)
    try:
        return layout.to_rgb(_eight_bit_samples(image, layout))
    except cv2.error as error:
        raise ImageError(f"conversion of image ({image.summary}) to rgb8 failed: {error}") from error


def checked_layout(image: RawImage) -> PixelLayout:
    """The layout of a well-formed image; raises ImageError as ``decode_raw`` does."""
    layout = LAYOUTS.get(image.encoding)
    if layout is None:
        raise ImageError(f"unknown image encoding {image.encoding!r}; valid encodings: {', '.join(sorted(LAYOUTS))}")
    if image.height < 1 or image.width < 1:
        raise ImageError(f"empty image ({image.summary}); width and height must be at least 1")
    if (layout.even_width and image.width % 2) or (layout.even_height and image.height % 2):
        raise ImageError(f"odd size for a subsampled encoding ({image.summary}); use even width and height")
    row_bytes = image.width * layout.pixel_bytes
    if image.step < row_bytes:
        raise ImageError(f"image step too small ({image.summary}); a row needs at least {row_bytes} bytes")
    needed = image.step * (layout.rows(image.height) - 1) + row_bytes
    if image.data.size < needed:
        raise ImageError(f"truncated image ({image.summary}); it needs at least {needed} bytes")
    return layout


def _eight_bit_samples(image: RawImage, layout: PixelLayout) -> Uint8Array:
    rows, row_bytes = layout.rows(image.height), image.width * layout.pixel_bytes
    # Only the bytes checked above are touched: the last row may come without its padding.
    strided = np.lib.stride_tricks.as_strided(image.data, (rows, row_bytes), (image.step, 1), writeable=False)
    packed = np.ascontiguousarray(strided)
    samples = packed if layout.sample_bytes == 1 else _narrow(packed, image.is_bigendian)
    shape = (rows, image.width) if layout.channels == 1 else (rows, image.width, layout.channels)
    return samples.reshape(shape)


def _narrow(packed: Uint8Array, is_bigendian: bool) -> Uint8Array:
    """16-bit samples scaled to 8 bits, full range to full range."""
    wide: NDArray[np.uint16] = packed.view(">u2" if is_bigendian else "<u2").astype(np.uint16)
    return ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8)


def decode_compressed(data: Uint8Array, described_as: str = "") -> Uint8Array:
    """RGB pixels (height, width, 3) of a JPEG or PNG file image in ``data`` (n,) uint8.

    ``described_as`` is the message's ``format`` field, for error messages only: the bytes decide.
    Raises ImageError when the bytes are neither, are truncated or are damaged.
    """
    received = f"{data.size} bytes, format {described_as!r}"
    _check_complete(data.tobytes(), received)
    try:
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ImageError(f"damaged compressed image ({received}): {error}") from error
    if bgr is None or bgr.size == 0:
        raise ImageError(f"damaged compressed image ({received}); valid: complete JPEG or PNG files")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _check_complete(content: bytes, received: str) -> None:
    """Refuse what OpenCV would fill up with grey: it decodes truncated files with a mere warning."""
    if content.startswith(_JPEG_MAGIC):
        # Inside a scan 0xff is always escaped, so an end marker behind the last start-of-scan is the real one.
        complete = content.rfind(b"\xff\xd9") > content.rfind(b"\xff\xda") > 0
    elif content.startswith(_PNG_MAGIC):
        complete = b"IEND" in content[-64:]
    else:
        raise ImageError(f"unknown compressed image ({received}); valid formats: jpeg, png")
    if not complete:
        raise ImageError(f"truncated compressed image ({received}); the file has no end marker")
