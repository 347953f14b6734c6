# SPDX-License-Identifier: Apache-2.0
"""Where a tool may be and how fast it may move, as a policy needs to know it before it chooses."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vla_policy.errors import ConfigurationError

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class MotionLimits:
    """A box and two speeds.

    workspace_low, workspace_high: corners of the box that the tool stays in, in the base frame [m];
    linear_speed [m/s] and angular_speed [rad/s]: of the tool, over one step. Infinity means no limit.
    """

    workspace_low: Point
    workspace_high: Point
    linear_speed: float = math.inf
    angular_speed: float = math.inf

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a box without inside or a speed that is not above 0."""
        for name in ("workspace_low", "workspace_high"):  # arrays are welcome, tuples are what compares
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        low, high = self.workspace_low, self.workspace_high
        if len(low) != 3 or len(high) != 3 or not all(a < b for a, b in zip(low, high, strict=True)):
            raise ConfigurationError(f"workspace is {low} to {high} m; valid are two corners (x, y, z), low below high")
        for name in ("linear_speed", "angular_speed"):
            if not getattr(self, name) > 0.0:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; valid is a number above 0")
