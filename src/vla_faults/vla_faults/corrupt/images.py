# SPDX-License-Identifier: Apache-2.0
"""Corruptions of a picture: sensor_msgs/Image, of any encoding with whole bytes."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.uint8]


def _rows(message: Any) -> Rows:
    """The picture as (height, step) bytes."""
    return np.frombuffer(bytes(message.data), dtype=np.uint8).reshape(message.height, message.step)


def _pixels(message: Any) -> Rows:
    """The picture as (height, width, bytes of a pixel)."""
    size = message.step // message.width
    return _rows(message)[:, : size * message.width].reshape(message.height, message.width, size)


def _with(message: Any, pixels: Rows) -> Any:
    found = copy.copy(message)
    found = type(message)(
        header=copy.deepcopy(message.header),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=message.encoding,
        is_bigendian=message.is_bigendian,
        step=pixels.shape[1] * pixels.shape[2],
    )
    found.data = np.ascontiguousarray(pixels).tobytes()
    return found


def black(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a black picture: the lens is covered."""
    return _with(message, np.zeros_like(_pixels(message)))


def white(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a white picture: the sensor is blinded."""
    return _with(message, np.full_like(_pixels(message), 255))


def rotated(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return the picture upside down: the camera was turned."""
    return _with(message, _pixels(message)[::-1, ::-1])


def noisy(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return random pixels."""
    pixels = _pixels(message)
    return _with(message, np.frombuffer(rng.randbytes(pixels.size), dtype=np.uint8).reshape(pixels.shape))


def torn(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return the picture with its lower half black: the transfer broke off."""
    pixels = _pixels(message).copy()
    pixels[pixels.shape[0] // 2 :] = 0
    return _with(message, pixels)


def colours(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return the picture with its first and third channel exchanged."""
    pixels = _pixels(message)
    return _with(message, pixels[:, :, ::-1] if pixels.shape[2] == 3 else pixels)


def small(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return the picture at a quarter of its size: the driver was started with another mode."""
    return _with(message, _pixels(message)[::4, ::4])


def truncated(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return the message with half of its bytes."""
    found = copy.copy(_with(message, _pixels(message)))
    found.data = bytes(message.data)[: len(message.data) // 2]
    return found
