# SPDX-License-Identifier: Apache-2.0
"""Columns of vectors: normalisation, units of joints, and the robot that they depend on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.part import Part, Unit
from vla_core.robot import RobotConfig

from vla_policy.errors import ConfigurationError

FloatArray = NDArray[np.float64]
LIMITS_SPAN = (-1.0, 1.0)  # `range` of normalised joints where none is given


def robot_of(observation_map: ObservationMap) -> RobotConfig:
    """Return the robot that the map is bound to. Raises ConfigurationError where it is not, or is not complete."""
    if observation_map.robot is None:
        raise ConfigurationError(f"map {observation_map.name} has no robot; valid is one made by for_robot")
    if observation_map.complete_from:
        raise ConfigurationError(
            f"map {observation_map.name} is not complete; it needs the metadata of {observation_map.complete_from}"
        )
    return observation_map.robot


def split(parts: tuple[Part, ...], columns: FloatArray) -> Iterator[tuple[Part, FloatArray]]:
    """Yield each part with its columns (n, w), in physical units."""
    start = 0
    for part in parts:
        yield part, physical(part, columns[:, start : start + part.width])
        start += part.width


def physical(part: Part, numbers: FloatArray) -> FloatArray:
    """Return the physical values (n, w) of a policy's numbers."""
    scaling = part.normalisation
    return numbers if scaling is None else scaling.offset + scaling.gain * numbers


def numbers_of(part: Part, values: FloatArray) -> FloatArray:
    """Return the policy's numbers (n, w) of physical values."""
    scaling = part.normalisation
    return values if scaling is None else (values - scaling.offset) / scaling.gain


def joints_to_rad(part: Part, values: FloatArray, robot: RobotConfig, is_position: bool = True) -> FloatArray:
    """Return joint values (n, w) in [rad]; differences and velocities have no offset."""
    gain, offset = _joint_scale(part, robot)
    return values * gain + (offset if is_position else 0.0)


def joints_from_rad(part: Part, values: FloatArray, robot: RobotConfig, is_position: bool = True) -> FloatArray:
    """Return joint values (n, w) in the part's unit; the inverse of `joints_to_rad`."""
    gain, offset = _joint_scale(part, robot)
    return (values - (offset if is_position else 0.0)) / gain


def _joint_scale(part: Part, robot: RobotConfig) -> tuple[FloatArray, FloatArray]:
    """Return gain and offset: rad = offset + gain * value, each (w,)."""
    ones = np.ones(len(part.names))
    if part.unit is Unit.RAD:
        return ones, 0.0 * ones
    if part.unit is Unit.DEG:
        return np.deg2rad(ones), 0.0 * ones
    index = [robot.joints.index(name) for name in part.names]
    lower, upper = robot.limits.lower[index], robot.limits.upper[index]
    low, high = part.range or LIMITS_SPAN
    gain = (upper - lower) / (high - low)
    return gain, lower - gain * low
