# SPDX-License-Identifier: Apache-2.0
"""Images to the policy's input as an observation map says: rotated, then padded, cropped or stretched to a size."""

from collections.abc import Mapping

import numpy as np
from PIL import Image
from vla_core.observation_map.camera import Camera, Fit, Interpolation

from vla_perception.errors import ImageError
from vla_perception.image.encodings import Uint8Array
from vla_perception.image.resizing import crop_box, scale_by_area

FILTERS: Mapping[Interpolation, Image.Resampling] = {
    Interpolation.BILINEAR: Image.Resampling.BILINEAR,
    Interpolation.LANCZOS: Image.Resampling.LANCZOS,
    Interpolation.NEAREST: Image.Resampling.NEAREST,
}


def fit_image(image: Uint8Array, camera: Camera) -> Uint8Array:
    """Return `image` (H, W, 3) uint8 as the policy sees this camera, an array of its own.

    Raises ImageError for another shape or type of image.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError(f"cannot fit an array {image.shape} of {image.dtype}; valid: (H, W, 3) of uint8")
    turned, size = np.rot90(image, camera.rotate // 90), camera.height_width
    if size is None:
        return np.array(turned, order="C", copy=True)
    if camera.fit is Fit.PAD:
        return _padded(turned, size, camera.interpolation)
    if camera.fit is Fit.CROP:
        top, left, height, width = crop_box(turned.shape[:2], size)
        turned = turned[top : top + height, left : left + width]
    return _scaled(turned, size, camera.interpolation)


def padded_size(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (height, width) of the aspect ratio of `size` within `target`, rounded down as openpi does."""
    ratio = max(size[1] / target[1], size[0] / target[0])
    return max(1, int(size[0] / ratio)), max(1, int(size[1] / ratio))


def _padded(image: Uint8Array, target: tuple[int, int], interpolation: Interpolation) -> Uint8Array:
    height, width = padded_size(image.shape[:2], target)
    padded = np.zeros((*target, 3), dtype=np.uint8)
    top, left = (target[0] - height) // 2, (target[1] - width) // 2
    padded[top : top + height, left : left + width] = _scaled(image, (height, width), interpolation)
    return padded


def _scaled(image: Uint8Array, size: tuple[int, int], interpolation: Interpolation) -> Uint8Array:
    if interpolation is Interpolation.AREA or image.shape[:2] == size:
        return scale_by_area(image, size)
    scaled = Image.fromarray(np.ascontiguousarray(image)).resize((size[1], size[0]), FILTERS[interpolation])
    return np.array(scaled, dtype=np.uint8)
