# SPDX-License-Identifier: Apache-2.0
"""Gripper senses: one table of what stands for closed and for open."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from vla_core.observation_map.part import GripperSense, Part
from vla_core.robot import GripperConfig

FloatArray = NDArray[np.float64]

ENDS: Mapping[GripperSense, tuple[float, float]] = {  # closed, open
    GripperSense.OPEN_1: (0.0, 1.0),
    GripperSense.CLOSED_1: (1.0, 0.0),
    GripperSense.SIGNED_OPEN: (-1.0, 1.0),
    GripperSense.SIGNED_CLOSE: (1.0, -1.0),
}
FACTORS: Mapping[GripperSense, tuple[float, ...]] = {  # columns as multiples of the width [m]
    GripperSense.WIDTH: (1.0,),
    GripperSense.FINGERS: (0.5, 0.5),
    GripperSense.FINGERS_MIRRORED: (0.5, -0.5),
}


def write_gripper(part: Part, opening: FloatArray, gripper: GripperConfig) -> FloatArray:
    """Return the columns (n, w) of openings (n,), 0 closed to 1 open."""
    if part.sense in FACTORS:
        width = gripper.min_width + opening * (gripper.max_width - gripper.min_width)
        return np.outer(width, FACTORS[part.sense])
    closed, opened = _ends(part)
    return np.asarray(closed + opening * (opened - closed)).reshape(-1, 1)


def read_gripper(part: Part, numbers: FloatArray, gripper: GripperConfig) -> FloatArray:
    """Return the openings (n,) of columns (n, w), not limited to 0..1."""
    if part.sense in FACTORS:
        width = np.mean(numbers / np.array(FACTORS[part.sense]), axis=1)
        return np.asarray((width - gripper.min_width) / (gripper.max_width - gripper.min_width))
    closed, opened = _ends(part)
    return np.asarray((numbers[:, 0] - closed) / (opened - closed))


def _ends(part: Part) -> tuple[float, float]:
    return (part.range[0], part.range[1]) if part.sense is GripperSense.RANGE else ENDS[part.sense]
