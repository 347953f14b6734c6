# SPDX-License-Identifier: Apache-2.0
"""The resize between camera and policy of RT-1 and RT-2. Training and the nodes use this very function."""

import cv2
import numpy as np

from vla_perception.errors import ImageError
from vla_perception.image.encodings import Uint8Array


def crop_box(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """Largest centred box with the aspect ratio of ``target`` inside ``size``, both (height, width) [pixels].

    Returns (top, left, height, width). Odd remainders leave the extra pixel at the bottom or the right.
    """
    height, width = size
    target_height, target_width = target
    if width * target_height > height * target_width:
        box_width = max(1, (height * target_width + target_height // 2) // target_height)
        return 0, (width - box_width) // 2, height, box_width
    box_height = max(1, (width * target_height + target_width // 2) // target_width)
    return (height - box_height) // 2, 0, box_height, width


def resize_to(image: Uint8Array, size: tuple[int, int]) -> Uint8Array:
    """Scale ``image`` (H, W, 3) uint8 to ``size`` (height, width) [pixels], keeping shapes undistorted.

    An image of another aspect ratio is first cropped around its centre, then scaled by area averaging (INTER_AREA,
    which is bilinear where it enlarges). The result is an array of its own and depends on nothing but the arguments.
    Raises ImageError for another shape or type of image, or a target below one pixel.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError(f"cannot resize an array {image.shape} of {image.dtype}; valid: (H, W, 3) of uint8")
    if size[0] < 1 or size[1] < 1:
        raise ImageError(f"cannot resize to {size}; height and width must be at least 1")
    top, left, height, width = crop_box(image.shape[:2], size)
    return scale_by_area(image[top : top + height, left : left + width], size)


def scale_by_area(image: Uint8Array, size: tuple[int, int]) -> Uint8Array:
    """Scale ``image`` (H, W, 3) to ``size`` (height, width) [pixels] whatever its shape; an array of its own."""
    if image.shape[:2] == tuple(size):
        return np.array(image, order="C", copy=True)
    scaled = cv2.resize(np.ascontiguousarray(image), (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, dtype=np.uint8)
