# SPDX-License-Identifier: Apache-2.0
"""The pictures that an observation map's cameras would give: drawn by the simulator, fitted by perception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from vla_core.observation_map import REFERENCE
from vla_core.observation_map.camera import Camera as MapCamera
from vla_core.observation_map.camera import Fit, Interpolation
from vla_core.observation_map.errors import ObservationMapError
from vla_perception.image.fitting import fit_image
from vla_sim.settings import Settings
from vla_sim.world.camera import Camera
from vla_sim.world.scene import CAMERA, VIEWER_CAMERA, WRIST_CAMERA

_SPACES = Settings()
SIMULATED: Mapping[str, str] = {  # the simulator's cameras by their topics; without a topic it is the front camera
    "": CAMERA,
    f"{_SPACES.camera}/image_raw": CAMERA,
    f"{_SPACES.wrist_camera}/image_raw": WRIST_CAMERA,
    f"{_SPACES.viewer_camera}/image_raw": VIEWER_CAMERA,
}


def single_camera(size: tuple[int, int] | None) -> tuple[MapCamera, ...]:
    """Return the front camera as RT-1 and RT-2 see it; `size` (height, width) [pixels], None: the smallest."""
    return (MapCamera(REFERENCE, size=size or (1, 1), fit=Fit.CROP, interpolation=Interpolation.AREA),)


def _relative(topic: str) -> str:
    return topic.lstrip("/")


class Pictures:
    """Draws what each camera sees. Without a renderer, or where they are not wanted, pictures are black."""

    def __init__(self, cameras: Sequence[MapCamera], renderer: Camera | None) -> None:
        """Raise ObservationMapError for a topic that the simulator does not publish."""
        unknown = [camera.topic for camera in cameras if _relative(camera.topic) not in SIMULATED]
        if unknown:
            valid = ", ".join(topic for topic in SIMULATED if topic)
            raise ObservationMapError(f"topic {', '.join(unknown)} is not simulated; valid are {valid}")
        self._cameras, self._renderer = tuple(cameras), renderer

    def take(self, wanted: bool = True) -> dict[str, NDArray[np.uint8]]:
        """Return a picture (height, width, 3) by camera name."""
        return {camera.name: self._picture(camera, wanted) for camera in self._cameras}

    def _picture(self, camera: MapCamera, wanted: bool) -> NDArray[np.uint8]:
        if self._renderer is None or not wanted:
            return np.zeros((*(camera.height_width or (1, 1)), 3), dtype=np.uint8)
        return fit_image(self._renderer.render(SIMULATED[_relative(camera.topic)]), camera)
