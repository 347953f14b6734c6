# SPDX-License-Identifier: Apache-2.0
"""Pictures kept as JPEG while the graph runs, so that a minute of them fits into a few megabytes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vla_demo.run.samples import Frame

Image = NDArray[np.uint8]  # (height, width, 3), RGB
QUALITY = 92


def encode_jpeg(image: Image, stamp: float) -> Frame:
    """Keep an RGB picture (height, width, 3) taken at `stamp` [s]."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"a picture of shape {image.shape} cannot be kept as JPEG")
    return Frame(stamp, data.tobytes())


def decode_jpeg(frame: Frame) -> Image:
    """The RGB picture (height, width, 3) again."""
    image = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def fit(image: Image, height: int, width: int, background: tuple[int, int, int]) -> Image:
    """The picture scaled to fit into (height, width), centred on `background`."""
    scale = min(height / image.shape[0], width / image.shape[1])
    rows, columns = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(image, (columns, rows), interpolation=method)
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = background
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas[top : top + rows, left : left + columns] = resized
    return canvas
