# SPDX-License-Identifier: Apache-2.0
"""One camera of an observation map: where its images come from and how they are fitted to the policy's input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from vla_core.observation_map.errors import ObservationMapError

MAX_SIZE = 8192  # [pixels]
ROTATIONS = (0, 90, 180, 270)  # [degrees] counter-clockwise


class Fit(Enum):
    """How an image of another aspect ratio is fitted to the size."""

    PAD = "pad"  # all of it, centred between black bars
    CROP = "crop"  # the largest centred part of the size's aspect ratio
    STRETCH = "stretch"  # all of it, distorted


class Interpolation(Enum):
    """How pixels are computed: `area` averages, the others are those of Pillow, with its antialiasing."""

    AREA = "area"
    BILINEAR = "bilinear"
    LANCZOS = "lanczos"
    NEAREST = "nearest"


class Transport(Enum):
    """Type of the topic."""

    RAW = "raw"  # sensor_msgs/Image on `topic`
    COMPRESSED = "compressed"  # sensor_msgs/CompressedImage on `topic`/compressed


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera. An image is rotated first, then fitted to `size`.

    name: in the graph; key: of its image in the policy's input; topic: empty for the first camera: where camera_node's
    own parameters say; size: (height, width) [pixels], empty: as the camera gives it; rotate: [degrees]
    counter-clockwise; max_age_s: most time between its image and the first camera's [s].
    """

    name: str
    key: str = ""
    topic: str = ""
    transport: Transport = Transport.RAW
    size: tuple[int, ...] = ()
    fit: Fit = Fit.PAD
    interpolation: Interpolation = Interpolation.BILINEAR
    rotate: int = 0
    max_age_s: float = 0.1

    def __post_init__(self) -> None:
        """Raise ObservationMapError for an empty name or a number out of its range."""
        if not self.name:
            raise ObservationMapError("name is ''; valid is a word, the camera's name in the graph")
        if len(self.size) not in (0, 2) or not all(1 <= pixels <= MAX_SIZE for pixels in self.size):
            valid = f"[height, width] from 1 to {MAX_SIZE}, or none: as the camera gives it"
            raise ObservationMapError(f"size is {list(self.size)}; valid is {valid}")
        if self.rotate not in ROTATIONS:
            raise ObservationMapError(f"rotate is {self.rotate}; valid are {', '.join(map(str, ROTATIONS))}")
        if not (math.isfinite(self.max_age_s) and self.max_age_s > 0.0):
            raise ObservationMapError(f"max_age_s is {self.max_age_s}; valid is a number above 0")

    @property
    def height_width(self) -> tuple[int, int] | None:
        """The size as (height, width) [pixels]; None: as the camera gives it."""
        return (self.size[0], self.size[1]) if self.size else None

    @property
    def subscribed_topic(self) -> str:
        """The topic with what its transport adds."""
        return f"{self.topic}/compressed" if self.transport is Transport.COMPRESSED else self.topic
