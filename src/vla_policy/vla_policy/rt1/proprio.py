# SPDX-License-Identifier: Apache-2.0
"""The robot's own state as network input, by name; the same code for training and for use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from vla_core.observation_map.observation_map import ObservationMap

from vla_policy.errors import ConfigurationError, ObservationError
from vla_policy.mapping.inputs import encode_state
from vla_policy.policy import Observation

COLUMN = "state/"  # begins the name of a column of the observation map's state
OPEN_FRACTION = 0.9  # of the largest width; a gripper at least this wide was last told to open


def _tool_yaw(observation: Observation) -> float:
    x, y, z, w = observation.ee_quaternion_xyzw
    return math.atan2(2.0 * (x * y + w * z), 1.0 - 2.0 * (y * y + z * z))


CHANNELS: Mapping[str, Callable[[Observation, float], float]] = {
    "ee_x": lambda observation, _: float(observation.ee_position[0]),
    "ee_y": lambda observation, _: float(observation.ee_position[1]),
    "ee_z": lambda observation, _: float(observation.ee_position[2]),
    "ee_yaw": lambda observation, _: _tool_yaw(observation),
    "gripper_width": lambda observation, _: observation.gripper_width,
    "last_gripper": lambda _, last_gripper: last_gripper,
}
"""ee_x, ee_y, ee_z: tool centre point in the base frame [m]; ee_yaw: direction of the tool's x axis about the base's z
[rad]; gripper_width: between the finger pads [m]; last_gripper: opening that was last commanded, 0 closed to 1 open."""


def check_channels(names: Sequence[str]) -> None:
    """Raise ConfigurationError, listing the valid names, for a channel that does not exist.

    Either all are of CHANNELS, or all are columns of the observation map's state, as `state/NAME`.
    """
    if names and all(name.startswith(COLUMN) for name in names):
        return
    unknown = [name for name in names if name not in CHANNELS]
    if unknown:
        raise ConfigurationError(f"proprio channels {unknown} are unknown; valid are {', '.join(CHANNELS)}")


def proprio_vector(
    names: Sequence[str], observation: Observation, last_gripper: float, observation_map: ObservationMap | None = None
) -> NDArray[np.float32]:
    """The channels (p,) in SI units, or the columns of the map's state in its units.

    Raises ObservationError when one is unknown to the robot.
    """
    if observation_map is not None:
        return encode_state(observation_map, observation)
    values = np.array([CHANNELS[name](observation, last_gripper) for name in names], dtype=np.float32)
    if not np.isfinite(values).all():
        unknown = [name for name, value in zip(names, values, strict=True) if not np.isfinite(value)]
        raise ObservationError(f"the observation has no {', '.join(unknown)}; the network needs {', '.join(names)}")
    return values


def initial_gripper_command(width: float, max_width: float) -> float:
    """What `last_gripper` is before the first command of an episode, judged by the measured width [m]: 1 or 0."""
    return 0.0 if width < OPEN_FRACTION * max_width else 1.0
