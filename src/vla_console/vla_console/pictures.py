# SPDX-License-Identifier: Apache-2.0
"""Camera images as JPEG for people."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

COLOURS = {  # encoding: channels, conversion to what OpenCV writes
    "rgb8": (3, cv2.COLOR_RGB2BGR),
    "bgr8": (3, None),
    "rgba8": (4, cv2.COLOR_RGBA2BGR),
    "bgra8": (4, cv2.COLOR_BGRA2BGR),
    "mono8": (1, None),
    "8UC1": (1, None),
    "8UC3": (3, None),
}
DEPTHS = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}  # shown from the nearest, bright, to the farthest
MAX_WIDTH = 960  # [pixels] of what is shown


def to_jpeg(data: bytes | NDArray[np.uint8], encoding: str, height: int, width: int, step: int, quality: int) -> bytes:
    """Return a picture as JPEG, at most MAX_WIDTH wide. Raises ValueError for one that cannot be shown."""
    flat = np.frombuffer(data, np.uint8)
    if encoding not in COLOURS and encoding not in DEPTHS:
        raise ValueError(f"encoding {encoding!r}; valid: {', '.join((*COLOURS, *DEPTHS))}")
    bytes_per_pixel = COLOURS[encoding][0] if encoding in COLOURS else np.dtype(DEPTHS[encoding]).itemsize
    if not height or not width or step < width * bytes_per_pixel or len(flat) < step * height:
        raise ValueError(f"{len(flat)} bytes for {height} rows of {step} bytes with {width} pixels of {encoding}")
    rows = flat[: step * height].reshape(height, step)[:, : width * bytes_per_pixel]
    if encoding in DEPTHS:
        pixels = _shade(np.ascontiguousarray(rows).view(DEPTHS[encoding]))
    else:
        channels, conversion = COLOURS[encoding]
        pixels = np.ascontiguousarray(rows).reshape(height, width, channels)
        pixels = pixels if conversion is None else cv2.cvtColor(pixels, conversion)
    if width > MAX_WIDTH:
        pixels = cv2.resize(pixels, (MAX_WIDTH, round(height * MAX_WIDTH / width)), interpolation=cv2.INTER_AREA)
    done, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"OpenCV cannot write it as JPEG: {pixels.shape}")
    return coded.tobytes()


def _shade(depth: NDArray[np.generic]) -> NDArray[np.uint8]:
    metres = np.nan_to_num(depth.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    known = metres[metres > 0.0]
    if not known.size:
        return np.zeros(metres.shape, np.uint8)
    near, far = float(known.min()), float(known.max())
    shade = 255.0 - 215.0 * (metres - near) / max(far - near, 1e-6)
    return np.where(metres > 0.0, shade, 0.0).astype(np.uint8)
