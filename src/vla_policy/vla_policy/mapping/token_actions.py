# SPDX-License-Identifier: Apache-2.0
"""Actions of token policies: by the names of their space, or for a policy trained on recorded data by its map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vla_core.action import ActionChunk, ActionValueError
from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.presets import load_map, map_of_checkpoint
from vla_core.robot import RobotConfigError, load_robot_config

from vla_policy.action.space import ActionSpace
from vla_policy.action.steps import step_from_vector
from vla_policy.action.token_chunk import token_chunk
from vla_policy.errors import ConfigurationError, InferenceError
from vla_policy.mapping.actions import action_of, decode_actions
from vla_policy.policy import Observation, PolicyConfig

ACTIONS = "actions"  # key of a checkpoint's control: what its action columns are
BY_MAP, NUMBERS = "map", "numbers"  # what an observation map says, or plain numbers; without the key the space's names


def chunk_of_tokens(
    space: ActionSpace,
    values: NDArray[np.float64],
    observation: Observation,
    period_s: float,
    tokens: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    legal_mass: NDArray[np.float32] | None = None,
    plan: str = "",
    observation_map: ObservationMap | None = None,
) -> ActionChunk:
    """Return the chunk of one action, values (d,) in the units of the space; the other arrays are (d,) too.

    observation_map: what the values are; None where the names of the space tell. Raises InferenceError for values that
    cannot be what the map says.
    """
    if observation_map is None:
        step = step_from_vector(space, values, period_s)
        names = observation.joint_names
        return token_chunk(space, step, period_s, observation.stamp, names, tokens, probabilities, legal_mass, plan)
    try:
        chunk = decode_actions(observation_map, values, observation)
    except ActionValueError as error:
        raise InferenceError(f"the action is not what map {observation_map.name} says: {error}") from error
    return replace(
        chunk,
        dimension_names=space.names,
        tokens=tokens[None].astype(np.uint16),
        token_probabilities=probabilities[None].astype(np.float32),
        legal_mass=None if legal_mass is None else legal_mass[None],
        plan=plan,
    )


def map_for(config: PolicyConfig, control: Mapping[str, Any], source: str) -> ObservationMap | None:
    """Return the map of a checkpoint that was trained on recorded actions, bound to the robot; None for any other.

    It is the given one, else the one in the folder `source`. Raises ConfigurationError where there is none.
    """
    if ACTIONS not in control:
        return None
    if config.observation_map is not None:
        return config.observation_map
    path = map_of_checkpoint(source)
    if not path:
        raise ConfigurationError(
            f"{source} was trained on recorded actions as plain numbers; valid with it is a map that says what they "
            "are: map:=FILE"
        )
    try:
        return load_map(path).for_robot(load_robot_config(config.robot))
    except (ObservationMapError, RobotConfigError) as error:
        raise ConfigurationError(f"{path}: {error}") from error


def check_trained(observation_map: ObservationMap, actions: int, state: int, source: str) -> None:
    """Raise ConfigurationError where a map has other numbers of columns than the checkpoint was trained with."""
    widths = (action_of(observation_map).width, sum(vector.width for vector in observation_map.state))
    if widths[0] != actions or state not in (0, widths[1]):
        raise ConfigurationError(
            f"map {observation_map.name} has {widths[0]} columns of action and {widths[1]} of state; {source} was "
            f"trained with {actions} and {state}"
        )
