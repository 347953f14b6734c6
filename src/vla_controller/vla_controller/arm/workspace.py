# SPDX-License-Identifier: Apache-2.0
"""The box that the tool centre point is kept in, and what it means for an arm that begins outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from vla_core.robot import RobotConfig

Array = npt.NDArray[np.float64]

WORKSPACE_MARGIN = 0.02  # [m] of setpoints outside the box of the targets: rounded corners, inverse kinematics
WORKSPACE_SLACK = 0.01  # [m] of setpoints beyond the margin, or beyond where an arm outside began


@dataclass(frozen=True, slots=True)
class Workspace:
    """An axis-aligned box in the base frame."""

    lower: Array  # (3,) [m]
    upper: Array  # (3,) [m]

    @classmethod
    def of(cls, config: RobotConfig) -> Self:
        """Return the box of a robot."""
        return cls(config.workspace_lower, config.workspace_upper)

    def around(self, position: Array, margin: float = 0.0) -> Workspace:
        """Return the box grown by `margin` [m] and by what it takes to hold `position` (3,) [m].

        No point of it is farther from this box, along any axis, than `position` or the margin: a tool that is outside
        may come back in and may not go farther away.
        """
        return Workspace(np.minimum(self.lower - margin, position), np.maximum(self.upper + margin, position))

    def within(self, other: Workspace) -> Workspace:
        """Return what is common to this box and an overlapping one."""
        return Workspace(np.maximum(self.lower, other.lower), np.minimum(self.upper, other.upper))

    def clamp(self, position: Array) -> Array:
        """Return the point of the box nearest to `position` (3,) [m]."""
        return np.clip(position, self.lower, self.upper)

    def excess(self, positions: Array) -> Array:
        """Return how far each of `positions` (..., 3) [m] is outside, along the worst axis (...) [m]; 0 inside."""
        over = np.maximum(self.lower - positions, positions - self.upper)
        inside: Array = np.maximum(0.0, over.max(axis=-1))
        return inside

    def __str__(self) -> str:
        return f"{self.lower.round(3).tolist()} to {self.upper.round(3).tolist()} m"
