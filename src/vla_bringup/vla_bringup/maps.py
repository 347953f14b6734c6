# SPDX-License-Identifier: Apache-2.0
"""The observation map of a graph: by its argument, by the checkpoint, or by the policy's name."""

from collections.abc import Mapping
from pathlib import Path

from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.presets import load_map, map_names, map_of_checkpoint
from vla_core.robot import load_robot_config

from .description import GraphError, Value

MAP = "map"  # name of the argument
LIKE_RT1 = ("expert", "replay")  # see what RT-1 sees


def map_name(values: Mapping[str, Value]) -> str:
    """Return the name or the absolute path of the map; empty for a policy without one of its name: one front camera.

    A checkpoint that was trained by a map of its own brings it.
    """
    given, policy = str(values[MAP]), str(values["policy"])
    if given.endswith((".yaml", ".yml")):
        return str(Path(given).absolute())
    by_policy = "rt1" if policy in LIKE_RT1 else policy
    own = map_of_checkpoint(str(values["checkpoint"]))
    return given or own or (by_policy if by_policy in map_names() else "")


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
    name = map_name(values)
    if not name:
        return
    try:
        load_map(name).for_robot(load_robot_config(str(values["robot"])))
    except ObservationMapError as error:
        raise GraphError(f"{MAP}:={values[MAP] or name}: {error}") from error
