# SPDX-License-Identifier: Apache-2.0
"""Does a map fit a policy, and is it the map of the server at the other end?"""

from __future__ import annotations

from collections.abc import Iterator

from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.reading import from_dict

from vla_policy.errors import ConfigurationError
from vla_policy.mapping.columns import robot_of
from vla_policy.policy import Policy


def check_fits(observation_map: ObservationMap, policy: Policy) -> None:
    """Raise ConfigurationError where the policy wants another image size or a camera that the map lacks."""
    camera, size = observation_map.reference, policy.image_size
    if size is not None and camera.height_width not in (None, size):
        raise ConfigurationError(
            f"map {observation_map.name}: camera {camera.name} has size {list(camera.size)}; "
            f"valid for policy {policy.name} is {list(size)} (height, width)"
        )
    names = [camera.name for camera in observation_map.cameras]
    missing = [name for name in policy.camera_names if name not in names]
    if missing:
        raise ConfigurationError(
            f"map {observation_map.name} has cameras {', '.join(names)}; valid for policy {policy.name} is a map "
            f"that also has {', '.join(missing)}"
        )


def check_same(observation_map: ObservationMap, served: object) -> None:
    """Raise ConfigurationError where a server's map, as the plain data of `to_dict`, asks for something else."""
    try:
        theirs = from_dict(served, "of the server").for_robot(robot_of(observation_map))
    except ObservationMapError as error:
        raise ConfigurationError(f"the server's {error}") from error
    differences = list(_differences(observation_map, theirs))
    if differences:
        raise ConfigurationError(f"map {observation_map.name} is not the server's: {'; '.join(differences)}")


def _differences(ours: ObservationMap, theirs: ObservationMap) -> Iterator[str]:
    pairs = (("keys", _keys), ("image sizes", _sizes), ("state columns", _state_widths), ("action", _action))
    for what, read in pairs:
        if read(ours) != read(theirs):
            yield f"{what} {read(ours)}, the server's {read(theirs)}"


def _keys(observation_map: ObservationMap) -> str:
    return ", ".join(sorted(observation_map.keys))


def _sizes(observation_map: ObservationMap) -> dict[str, list[int]]:
    return {camera.key: list(camera.size) for camera in observation_map.cameras}


def _state_widths(observation_map: ObservationMap) -> dict[str, int]:
    return {vector.key: vector.width for vector in observation_map.state}


def _action(observation_map: ObservationMap) -> str:
    action = observation_map.action
    return "none" if action is None else f"{action.width} columns of {action.mode.name.lower()}"
