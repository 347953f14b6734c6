# SPDX-License-Identifier: Apache-2.0
"""A client's message as an observation and an instruction.

A message is a flat map by the observation map's keys. Besides, all of them optional: `vla/reset` (bool) begins the task
anew; `vla/stamp` [s] is the time of capture on the client's clock, by which a history knows pauses. An image is an
array (height, width, 3) uint8, or the bytes of a JPEG file of that size. In place of all images `vla/encoded` may hold
what the policy's vision encoder made of them on the client's side, float16 or float32.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from vla_core.observation_map.camera import Camera
from vla_core.observation_map.observation_map import ObservationMap

from vla_policy.errors import ObservationError
from vla_policy.mapping.inputs import decode_observation
from vla_policy.policy import Observation
from vla_policy.remote.codecs import openpi
from vla_policy.remote.codecs.arrays import short

MAX_SIZE = 4096  # [pixels] a side of an image whose size the map leaves open
RESET, STAMP, ENCODED = "vla/reset", "vla/stamp", "vla/encoded"


@dataclass(frozen=True, slots=True)
class Request:
    """reset: whether the client asks for a new episode, also of the same instruction."""

    observation: Observation
    instruction: str
    reset: bool


def read_request(message: bytes, observation_map: ObservationMap, now: float) -> Request:
    """Return what a message asks. now [s]: the stamp where the client gives none.

    Raises:
        ReplyError: the message is no sound msgpack.
        ObservationError: a key is missing, or its value has another type, shape or size.
    """
    inputs = openpi.unpack(message)
    if not isinstance(inputs, dict):
        raise ObservationError(f"the message is {short(inputs)}; valid is a map with {', '.join(observation_map.keys)}")
    given = {_text(key): value for key, value in inputs.items()}
    reset, stamp = given.pop(RESET, False), given.pop(STAMP, now)
    if not isinstance(reset, bool):
        raise ObservationError(f"{RESET} is {short(reset)}; valid are true and false")
    if isinstance(stamp, bool) or not isinstance(stamp, int | float | np.number) or not math.isfinite(stamp):
        raise ObservationError(f"{STAMP} is {short(stamp)}; valid is a finite number [s]")
    encoded = _encoded(given, observation_map) if ENCODED in given else None
    for camera in observation_map.cameras:
        if isinstance(value := given.get(camera.key), bytes):
            given[camera.key] = decode_jpeg(value, camera)
    observation, instruction = decode_observation(observation_map, _arrays(given), float(stamp))
    return Request(replace(observation, encoded=encoded), instruction, reset)


def _encoded(given: dict[str, Any], observation_map: ObservationMap) -> NDArray[np.float32]:
    """Take the encoder's output out of a message and put blank images in. Raises ObservationError."""
    value = given.pop(ENCODED)
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or not np.isfinite(value).all():
        raise ObservationError(f"{ENCODED} is {short(value)}; valid are finite numbers, float16 or float32")
    for camera in observation_map.cameras:
        given.setdefault(camera.key, np.zeros((*(camera.height_width or (1, 1)), 3), np.uint8))
    return value.astype(np.float32)


def decode_jpeg(data: bytes, camera: Camera) -> NDArray[np.uint8]:
    """Return the image (height, width, 3) of a JPEG file. Raises ObservationError for another format or size.

    The size is compared before pixels are decoded, so that a small file cannot ask for much memory.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if max(image.size) > MAX_SIZE or camera.height_width not in (None, image.size[::-1]):
                height, width = camera.height_width or (f"up to {MAX_SIZE}", f"up to {MAX_SIZE}")
                raise ObservationError(
                    f"{camera.key} is a JPEG of {image.height} x {image.width}; valid is {height} x {width} "
                    "(height x width)"
                )
            return np.array(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ObservationError(f"{camera.key} is no JPEG that can be read: {error}") from error


def _text(key: object) -> str:
    if not isinstance(key, str):
        raise ObservationError(f"a key of the message is {short(key)}; valid are texts")
    return key


def _arrays(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with lists of numbers, as clients without arrays send them, as arrays."""
    return {key: np.array(value) if isinstance(value, list) else value for key, value in given.items()}
