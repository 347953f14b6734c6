# SPDX-License-Identifier: Apache-2.0
"""Tool velocities for receivers that take velocities, such as MoveIt Servo."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from vla_core.rotation import Pose, rotation_between

Array = npt.NDArray[np.float64]

_GAIN = 2.0  # [1/s] at which a drift of the arm from its setpoint is made good
_MOST_LINEAR, _MOST_ANGULAR = 0.05, 0.2  # [m/s], [rad/s] of that


def twist_between(before: Pose, goal: Pose, measured: Pose, dt: float) -> tuple[Array, Array]:
    """Velocity that leads the tool from ``before`` to ``goal`` in ``dt`` [s], with its drift made good.

    Returns:
        linear (3,) [m/s] and angular (3,) [rad/s] velocity along the axes of the poses' frame.
    """
    linear = (goal.position - before.position) / dt
    angular = rotation_between(before.quaternion, goal.quaternion) / dt
    drift = before.position - measured.position
    turned = rotation_between(measured.quaternion, before.quaternion)
    return linear + _at_most(_GAIN * drift, _MOST_LINEAR), angular + _at_most(_GAIN * turned, _MOST_ANGULAR)


def _at_most(vector: Array, most: float) -> Array:
    """``vector``, shortened to a length of ``most``."""
    length = float(np.sqrt(vector @ vector))
    return vector if length <= most else vector * (most / length)
