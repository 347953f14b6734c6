# SPDX-License-Identifier: Apache-2.0
"""Images as JPEG or PNG, in the form that image_transport's `compressed` has."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

PNG_EFFORT = 1  # of 9: four times as fast as the default for a tenth more bytes


@dataclass(frozen=True, slots=True)
class Encoding:
    """How an encoding of sensor_msgs/Image lies in memory."""

    sample: str  # NumPy type of a sample
    channels: int
    swapped: bool = False  # whether red comes first, which OpenCV expects last


ENCODINGS = {
    "rgb8": Encoding("u1", 3, swapped=True),
    "bgr8": Encoding("u1", 3),
    "mono8": Encoding("u1", 1),
    "8UC1": Encoding("u1", 1),
    "mono16": Encoding("u2", 1),
    "16UC1": Encoding("u2", 1),
}
"""Others (Bayer, YUV, float) are stored as they come."""


def compress(
    data: bytes | NDArray[np.uint8], encoding: str, height: int, width: int, step: int, form: str, quality: int
) -> tuple[str, bytes] | None:
    """Return the `format` and `data` of a sensor_msgs/CompressedImage; None for what has to stay as it is.

    form: jpeg or png; images of 16 bits become PNG, without loss, in both. quality: of JPEG [%]. Big-endian images
    are not to be given.
    """
    kind = ENCODINGS.get(encoding)
    row = width * (kind.channels * np.dtype(kind.sample).itemsize if kind else 0)
    flat = np.frombuffer(data, np.uint8)
    if kind is None or not row or step < row or len(flat) < step * height or not height:
        return None
    samples = np.ascontiguousarray(flat[: step * height].reshape(height, step)[:, :row]).view(kind.sample)
    pixels = samples.reshape(height, width, kind.channels) if kind.channels > 1 else samples
    pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if kind.swapped else pixels
    form = "png" if kind.sample == "u2" else form
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality] if form == "jpeg" else [cv2.IMWRITE_PNG_COMPRESSION, PNG_EFFORT]
    done, coded = cv2.imencode(".jpg" if form == "jpeg" else ".png", pixels, flags)
    target = "bgr8" if kind.channels == 3 else encoding
    return (f"{encoding}; {form} compressed {target}", coded.tobytes()) if done else None
