# SPDX-License-Identifier: Apache-2.0
"""Tunable numbers of the controller that do not depend on the robot."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """Timing and gate thresholds."""

    latency_budget: float = 0.3  # [s] observation stamp to the moment step 0 is due
    smoothing: float = 0.08  # [s] over which corners of the reference are rounded; adds no lag
    max_chunk_age: float = 1.0  # [s] observation stamp to arrival
    max_chunk_lead: float = 0.05  # [s] how far a stamp may lie in the future
    max_step_translation: float = 0.15  # [m] per step
    max_step_rotation: float = math.pi / 3.0  # [rad] per step, tool or joint
    max_jump_translation: float = 0.30  # [m] from where the arm is commanded to the first step's target
    max_jump_rotation: float = math.pi / 2.0  # [rad] likewise, tool or joint
    max_period: float = 2.0  # [s] between steps
    max_steps: int = 200
    joint_state_timeout: float = 0.5  # [s]
    max_clock_jump: float = 1.0  # [s] between two ticks
