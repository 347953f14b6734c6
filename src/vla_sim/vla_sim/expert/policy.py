# SPDX-License-Identifier: Apache-2.0
"""The scripted expert behind the policy interface: it reads the simulator's ground truth instead of the picture."""

from __future__ import annotations

import numpy as np
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_policy.errors import InstructionError, ObservationError
from vla_policy.policy import NoOptions, Observation, Policy, PolicyConfig

from vla_sim.expert.expert import after, expert_action, state_of
from vla_sim.task.task import Task, TaskError, parse_task
from vla_sim.world.robots import get_robot


class ExpertPolicy(Policy):
    """One step a call, as RT-1, or more of what would follow; needs the scene."""

    name = "expert"
    uses_scene = True

    def __init__(self, robot: str, period_s: float, horizon: int = 1) -> None:
        """`robot`: name of a simulated robot; UnknownRobotError otherwise. `horizon`: steps of a chunk."""
        self._robot = get_robot(robot)
        self._period_s, self._horizon = period_s, horizon
        self._task: Task | None = None

    def reset(self, instruction: str) -> None:
        """Raises InstructionError when the sentence names no task of this world."""
        try:
            self._task = parse_task(instruction)
        except TaskError as error:
            raise InstructionError(str(error)) from error

    def infer(self, observation: Observation) -> ActionChunk:
        """The expert's next steps, as far as what it sees tells."""
        if self._task is None:
            raise InstructionError("infer before reset: there is no instruction")
        if observation.scene is None:
            raise ObservationError("the expert needs the simulator's scene state and got none")
        objects = {name: np.asarray(pose) for name, pose in observation.scene.items()}
        state = state_of(observation.ee_position, observation.gripper_width, objects)
        steps: list[ActionStep] = []
        while len(steps) < self._horizon and not (steps and steps[-1].terminate):
            action = expert_action(state, self._task, self._robot)
            steps.append(
                ActionStep(action.translation[0], gripper=float(action.opening[0]), terminate=bool(action.done[0]))
            )
            state = after(state, action)
        return ActionChunk(
            observation.stamp, ActionMode.EE_DELTA, DeltaReference.OBSERVED, self._period_s, tuple(steps)
        )


OPTIONS = NoOptions


def create(config: PolicyConfig) -> ExpertPolicy:
    """Entry point of the policy registry."""
    return ExpertPolicy(config.robot or "fr3", config.period_s)
