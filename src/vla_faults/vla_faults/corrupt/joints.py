# SPDX-License-Identifier: Apache-2.0
"""Corruptions of joint states: sensor_msgs/JointState."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np

BIAS = 0.3  # [rad]
TREMBLE = 0.02  # [rad]


def _changed(message: Any, positions: Any) -> Any:
    found = copy.deepcopy(message)
    found.position = [float(value) for value in positions]
    return found


def _one(message: Any, value: float, rng: random.Random, add: bool) -> Any:
    positions = list(message.position)
    if positions:
        joint = rng.randrange(len(positions))
        positions[joint] = positions[joint] + value if add else value
    return _changed(message, positions)


def swapped(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return the second and the fourth joint exchanged: wired wrongly."""
    positions = list(message.position)
    if len(positions) > 3:
        positions[1], positions[3] = positions[3], positions[1]
    return _changed(message, positions)


def biased(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return the first joint off by `magnitude` [rad] (default 0.3): an encoder that slipped."""
    positions = np.array(message.position)
    positions[:1] += magnitude or BIAS
    return _changed(message, positions)


def nan(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return one position as NaN."""
    return _one(message, float("nan"), rng, add=False)


def zeros(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return all positions as 0: a driver whose reads fail."""
    return _changed(message, np.zeros(len(message.position)))


def degrees(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return positions in degrees."""
    return _changed(message, np.degrees(message.position))


def reversed_sign(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return positions with the other sign."""
    return _changed(message, -np.array(message.position))


def trembling(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return positions with noise of `magnitude` [rad] (default 0.02) at most."""
    share = magnitude or TREMBLE
    return _changed(message, [value + rng.uniform(-share, share) for value in message.position])


def drifting(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a first joint that creeps away, by `magnitude` [rad/s] (default 0.3) of the message's own stamp."""
    stamp = message.header.stamp.sec % 10 + message.header.stamp.nanosec * 1e-9
    positions = np.array(message.position)
    positions[:1] += (magnitude or BIAS) * stamp
    return _changed(message, positions)


def missing(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return one joint fewer."""
    found = copy.deepcopy(message)
    for name in ("name", "position", "velocity", "effort"):
        setattr(found, name, list(getattr(message, name))[1:])
    return found


def renamed(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return joints with other names."""
    found = copy.deepcopy(message)
    found.name = [f"other_{name}" for name in message.name]
    return found


def short(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return fewer positions than names."""
    return _changed(message, list(message.position)[:-1])


def fast(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return velocities of 100 rad/s."""
    found = copy.deepcopy(message)
    found.velocity = [100.0] * len(message.name)
    return found
