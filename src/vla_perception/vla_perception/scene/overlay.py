# SPDX-License-Identifier: Apache-2.0
"""What was perceived, drawn over the picture."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from vla_perception.scene.detector import Detection

Image = NDArray[np.uint8]
_INK, _SHADE = (255, 255, 255), (0, 0, 0)


def draw(picture: Image, detections: Iterable[Detection]) -> Image:
    """Return a copy of a picture (H, W, 3) RGB with a ring and the position in millimetres at each object."""
    canvas = np.ascontiguousarray(picture.copy())
    for detection in detections:
        u, v = (round(value) for value in detection.pixel)
        x, y, _ = detection.position
        label = f"{detection.name} {1000 * x:.0f},{1000 * y:.0f}"
        for color, width in ((_SHADE, 3), (_INK, 1)):
            cv2.circle(canvas, (u, v), 6, color, width, cv2.LINE_AA)
            cv2.putText(canvas, label, (u + 8, v - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.3, color, width, cv2.LINE_AA)
    return canvas
