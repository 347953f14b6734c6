# SPDX-License-Identifier: Apache-2.0
"""What RT-2 keeps of one robot's task: the instruction, the plan and the last gripper command."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vla_core.observation_map.observation_map import ObservationMap

from vla_policy.errors import InstructionError
from vla_policy.policy import Observation
from vla_policy.rt1.proprio import initial_gripper_command, proprio_vector
from vla_policy.rt2.prompt import StateFormat

PLAN_PERIOD_S = 5.0  # a plan older than this is replaced


@dataclass(slots=True)
class Task:
    """One robot's task; without an instruction there is none.

    plan: in words, made at plan_stamp [s]; last_gripper: opening that was last commanded, 0 closed to 1 open.
    """

    instruction: str = ""
    plan: str = ""
    plan_stamp: float = math.nan
    last_gripper: float = math.nan

    def given(self) -> str:
        """Return the instruction. Raises InstructionError where none was given."""
        if not self.instruction:
            raise InstructionError("no instruction was given: call reset first")
        return self.instruction

    def needs_plan(self, stamp: float) -> bool:
        """Whether there is no plan of the last PLAN_PERIOD_S before `stamp` [s]."""
        return not 0.0 <= stamp - self.plan_stamp < PLAN_PERIOD_S

    def state(
        self,
        state: StateFormat | None,
        observation: Observation,
        max_width: float,
        observation_map: ObservationMap | None = None,
    ) -> NDArray[np.float32] | None:
        """Return what a prompt says about the robot (n,), None where it says nothing. Raises ObservationError.

        max_width: of the open gripper [m]; observation_map: whose state it is, None for the channels of `proprio`.
        """
        if state is None:
            return None
        last = self.last_gripper
        if math.isnan(last):
            last = initial_gripper_command(observation.gripper_width, max_width)
        return proprio_vector(state.names, observation, last, observation_map)

    def commanded(self, gripper: float) -> None:
        """Remember the opening that was commanded; NaN commands nothing."""
        if not math.isnan(gripper):
            self.last_gripper = gripper
