# SPDX-License-Identifier: Apache-2.0
"""The cameras that camera_node ingests: those of the observation map, or one by its own parameters."""

from dataclasses import replace

from vla_core.observation_map import REFERENCE
from vla_core.observation_map.camera import Camera, Fit, Interpolation, Transport
from vla_core.observation_map.presets import load_map
from vla_core.settings import SettingsError

from vla_perception.settings import CameraSettings

DEFAULT_SIZE = (128, 160)  # (height, width) [pixels] without a map


def cameras_of(settings: CameraSettings) -> tuple[Camera, ...]:
    """Return the cameras, the reference first.

    Raises:
        ObservationMapError: there is no such map, or it is invalid.
        SettingsError: image_height or image_width contradicts the map.
    """
    if settings.observation_map:
        cameras = load_map(settings.observation_map).cameras
        _check_size(settings, cameras[0])
    else:
        size = (settings.image_height or DEFAULT_SIZE[0], settings.image_width or DEFAULT_SIZE[1])
        cameras = (Camera(REFERENCE, size=size, fit=Fit.CROP, interpolation=Interpolation.AREA),)
    if cameras[0].topic:
        return cameras
    transport = Transport(settings.image_transport)
    return (replace(cameras[0], topic=settings.image_topic, transport=transport), *cameras[1:])


def _check_size(settings: CameraSettings, reference: Camera) -> None:
    asked = (settings.image_height, settings.image_width)
    for name, given, mapped in zip(("image_height", "image_width"), asked, reference.size or (0, 0), strict=True):
        if given not in (0, mapped):
            raise SettingsError(
                f"parameter {name} is {given}; valid with map {settings.observation_map} is 0: camera {reference.name} "
                f"has size {list(reference.size)} there"
            )
