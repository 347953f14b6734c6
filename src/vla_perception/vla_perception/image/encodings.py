# SPDX-License-Identifier: Apache-2.0
"""The pixel layouts of sensor_msgs/Image that this package reads, as data."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Uint8Array = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How one encoding lies in memory and how it becomes RGB.

    ``to_rgb`` takes the samples as uint8 (rows, width, channels), without the last axis when
    it is 1, and returns (height, width, 3).
    """

    channels: int  # samples in one row per pixel of width
    to_rgb: Callable[[Uint8Array], Uint8Array]
    sample_bytes: int = 1
    even_width: bool = False
    even_height: bool = False
    chroma_share: float = 0.0  # rows of a chroma plane behind the image's rows, for each of them (NV12: half a row)
    padded: bool = True  # whether rows may be longer than their pixels

    @property
    def pixel_bytes(self) -> int:
        """Bytes one row needs per pixel of width."""
        return self.channels * self.sample_bytes

    def rows(self, height: int) -> int:
        """Rows of ``step`` bytes that an image of this height [pixels] occupies."""
        return height + int(height * self.chroma_share)


def _cv(code: int) -> Callable[[Uint8Array], Uint8Array]:
    def convert(samples: Uint8Array) -> Uint8Array:
        return np.asarray(cv2.cvtColor(samples, code), dtype=np.uint8)

    return convert


def _copy(samples: Uint8Array) -> Uint8Array:
    return np.ascontiguousarray(samples)


def _nv24(samples: Uint8Array) -> Uint8Array:
    """Full-size luma, then blue and red differences of each pixel; BT.601, limited range, as OpenCV reads NV12."""
    height, width = samples.shape[0] // 3, samples.shape[1]
    luma = 1.164 * (samples[:height].astype(np.float32) - 16.0)
    blue, red = np.moveaxis(samples[height:].reshape(height, width, 2).astype(np.float32) - 128.0, 2, 0)
    rgb = np.stack([luma + 1.596 * red, luma - 0.391 * blue - 0.813 * red, luma + 2.018 * blue], axis=2)
    return np.asarray(np.clip(rgb.round(), 0, 255), dtype=np.uint8)


_INTERLEAVED: dict[str, tuple[int, Callable[[Uint8Array], Uint8Array]]] = {
    "rgb": (3, _copy),
    "bgr": (3, _cv(cv2.COLOR_BGR2RGB)),
    "rgba": (4, _cv(cv2.COLOR_RGBA2RGB)),
    "bgra": (4, _cv(cv2.COLOR_BGRA2RGB)),
    "mono": (1, _cv(cv2.COLOR_GRAY2RGB)),
    "bayer_rggb": (1, _cv(cv2.COLOR_BayerRGGB2RGB)),
    "bayer_bggr": (1, _cv(cv2.COLOR_BayerBGGR2RGB)),
    "bayer_gbrg": (1, _cv(cv2.COLOR_BayerGBRG2RGB)),
    "bayer_grbg": (1, _cv(cv2.COLOR_BayerGRBG2RGB)),
}
_UYVY = PixelLayout(2, _cv(cv2.COLOR_YUV2RGB_UYVY), even_width=True)
_YUYV = PixelLayout(2, _cv(cv2.COLOR_YUV2RGB_YUY2), even_width=True)

LAYOUTS: dict[str, PixelLayout] = {
    **{f"{name}8": PixelLayout(channels, to_rgb) for name, (channels, to_rgb) in _INTERLEAVED.items()},
    **{f"{name}16": PixelLayout(channels, to_rgb, sample_bytes=2) for name, (channels, to_rgb) in _INTERLEAVED.items()},
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    "nv12": PixelLayout(1, _cv(cv2.COLOR_YUV2RGB_NV12), even_width=True, even_height=True, chroma_share=0.5),
    "nv24": PixelLayout(1, _nv24, chroma_share=2.0, padded=False),
    "8UC1": PixelLayout(1, _cv(cv2.COLOR_GRAY2RGB)),
    "nv21": PixelLayout(1, _cv(cv2.COLOR_YUV2RGB_NV21), even_width=True, even_height=True, chroma_share=0.5),
}
"""Every accepted ``sensor_msgs/Image.encoding``. 16-bit samples are scaled to 8 bits by 255/65535."""
