# SPDX-License-Identifier: Apache-2.0
"""Limits of the FR3 that stand in no robot file, from the maker's control parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vla_core.robot import RobotConfig

from vla_hardware.stream import VelocityBounds

Array = NDArray[np.float64]
STOP_LOWER = np.array([-2.7437, -1.7837, -2.9007, -3.0421, -2.8065, 0.5445, -3.0159])  # [rad]
STOP_UPPER = np.array([2.7437, 1.7837, 2.9007, -0.1518, 2.8065, 4.5169, 3.0159])  # [rad]
TORQUES = (
    20.0,
    20.0,
    18.0,
    18.0,
    16.0,
    14.0,
    12.0,
)  # [Nm] at which a joint counts as collided, as in libfranka's examples
FORCES = (25.0, 25.0, 25.0, 25.0, 25.0, 25.0)  # [N], [Nm] at the hand
FRANKY_VELOCITY = np.array([2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61])  # [rad/s] the most that franky takes


def velocity_bounds(robot: RobotConfig) -> VelocityBounds:
    """Return the bounds of the driver's velocities: the robot file's rectangle, and the arm's own stops around it."""
    limits = robot.limits
    return VelocityBounds(
        limits.lower, limits.upper, STOP_LOWER, STOP_UPPER, np.minimum(limits.velocity, 0.999 * FRANKY_VELOCITY)
    )


def settable(wanted: Array, maximum: Array) -> Array:
    """Return `wanted` where franky takes it: its builds hold the Panda's limits as maxima, also for an FR3."""
    return np.minimum(wanted, maximum)
