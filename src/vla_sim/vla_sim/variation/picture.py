# SPDX-License-Identifier: Apache-2.0
"""What a camera adds to a picture: white balance, exposure, blur, noise, compression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vla_sim.variation.variation import Drawn

Image = NDArray[np.uint8]


def develop(image: Image, drawn: Drawn, rng: np.random.Generator) -> Image:
    """Return a picture (H, W, 3) as the camera of this table gives it; the very picture where none is varied.

    `rng`: of the noise, which differs from picture to picture.
    """
    if "picture" not in drawn:
        return image
    import cv2

    gains = drawn.number("picture", "exposure") * (1.0 + drawn.values["picture"]["balance"])
    seen = image.astype(np.float32) * gains.astype(np.float32)
    sigma = drawn.number("picture", "blur")
    if sigma > 0.05:
        seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), sigma), dtype=np.float32)
    seen += drawn.number("picture", "noise") * rng.standard_normal(seen.shape, dtype=np.float32)
    clipped = np.clip(seen, 0.0, 255.0).astype(np.uint8)
    quality = [int(cv2.IMWRITE_JPEG_QUALITY), round(drawn.number("picture", "jpeg"))]
    packed = cv2.imencode(".jpg", clipped[:, :, ::-1], quality)[1]
    return np.asarray(
        cv2.cvtColor(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB), dtype=np.uint8
    )
