# SPDX-License-Identifier: Apache-2.0
"""The observation map of a graph: by its argument, or by the policy's name."""

from collections.abc import Mapping
from pathlib import Path

from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.presets import load_map, map_names
from vla_core.robot import load_robot_config

from .description import GraphError, Value

MAP = "map"  # name of the argument
LIKE_RT1 = ("expert", "replay")  # see what RT-1 sees


def map_name(given: str, policy: str) -> str:
    """Return the name or the absolute path of the map; empty for a policy without one of its name: one front camera."""
    if given.endswith((".yaml", ".yml")):
        return str(Path(given).absolute())
    by_policy = "rt1" if policy in LIKE_RT1 else policy
    return given or (by_policy if by_policy in map_names() else "")


def map_topics(name: str) -> frozenset[str]:
    """Return the topics of a map's cameras without a slash in front. Raises GraphError."""
    if not name:
        return frozenset()
    try:
        return frozenset(camera.topic.lstrip("/") for camera in load_map(name).cameras)
    except ObservationMapError as error:
        raise GraphError(str(error)) from error


def check_map(values: Mapping[str, Value]) -> None:
    """Raise GraphError for a map that does not exist, is invalid, or names joints that the robot lacks."""
    name = map_name(str(values[MAP]), str(values["policy"]))
    if not name:
        return
    try:
        load_map(name).for_robot(load_robot_config(str(values["robot"])))
    except ObservationMapError as error:
        raise GraphError(f"{MAP}:={values[MAP] or name}: {error}") from error
