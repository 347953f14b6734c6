# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a camera message to RGB pixels, without ROS."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vla_perception.errors import ImageError
from vla_perception.image.encodings import LAYOUTS, PixelLayout, Uint8Array
from vla_perception.image.file_size import PNG_MAGIC, height_width

_JPEG_MAGIC = b"\xff\xd8\xff"
MAX_PIXELS = 1 << 26  # of a file: 67 megapixels, more than any camera of a robot


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
    if not layout.padded and image.step != row_bytes:
        raise ImageError(f"padded rows ({image.summary}); this encoding is read with a step of {row_bytes} bytes only")
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
    """Return the RGB pixels (height, width, 3) of a JPEG or PNG file image in `data` (n,) uint8.

    Args:
        data: the bytes, which decide on JPEG or PNG.
        described_as: the message's `format`, of which image_transport writes "ORIGINAL; CODEC compressed TARGET": the
            camera's own encoding says whether a grey file is a Bayer mosaic, a grey picture, or no picture at all.

    Raises:
        ImageError: neither format, truncated, damaged, no colour picture (depth), or colour lost on the way.
    """
    received = f"{data.size} bytes, format {described_as!r}"
    content = data.tobytes()
    _check_complete(content, received)
    _check_size(content, received)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.size == 0:
            raise ImageError(f"damaged compressed image ({received}); valid: complete JPEG or PNG files")
        return _colours(_eight_bits(pixels), described_as)
    except cv2.error as error:
        raise ImageError(f"damaged compressed image ({received}): {error}") from error


def _eight_bits(pixels: NDArray[np.generic]) -> Uint8Array:
    """Return the samples scaled to 8 bits."""
    if pixels.dtype == np.uint16:
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.asarray(pixels, dtype=np.uint8)


def _colours(pixels: Uint8Array, described_as: str) -> Uint8Array:
    """Return RGB of a decoded file (H, W[, 1, 3 or 4], blue first), as the camera's own encoding asks for."""
    original = described_as.split(";")[0].strip() if ";" in described_as else ""
    if original and original not in LAYOUTS:
        valid = ", ".join(sorted(LAYOUTS))
        raise ImageError(
            f"compressed image of unknown encoding {original!r} ({described_as!r}); valid encodings: {valid}"
        )
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        grey = np.ascontiguousarray(pixels.reshape(pixels.shape[:2]))
        if original and not original.startswith(("bayer_", "mono", "8UC1")):
            raise ImageError(
                f"compressed image of {original!r} has lost its colours ({described_as!r}); valid: a colour file"
            )
        return LAYOUTS[f"{original.rstrip('0123456789')}8" if original.startswith("bayer_") else "mono8"].to_rgb(grey)
    code = cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8)


def _check_size(content: bytes, received: str) -> None:
    """Refuse a small file that claims to be a very large picture: OpenCV would allocate and fill it for seconds."""
    size = height_width(content)
    if size is None or not 0 < size[0] * size[1] <= MAX_PIXELS:
        claimed = "no size" if size is None else f"{size[0]} x {size[1]}"
        raise ImageError(f"compressed image ({received}) has {claimed}; valid: 1 to {MAX_PIXELS} pixels")


def _check_complete(content: bytes, received: str) -> None:
    """Refuse what OpenCV would fill up with grey: it decodes truncated files with a mere warning."""
    if content.startswith(_JPEG_MAGIC):
        # Inside a scan 0xff is always escaped, so an end marker behind the last start-of-scan is the real one.
        complete = content.rfind(b"\xff\xd9") > content.rfind(b"\xff\xda") > 0
    elif content.startswith(PNG_MAGIC):
        complete = b"IEND" in content[-64:]
    else:
        raise ImageError(f"unknown compressed image ({received}); valid formats: jpeg, png")
    if not complete:
        raise ImageError(f"truncated compressed image ({received}); the file has no end marker")
