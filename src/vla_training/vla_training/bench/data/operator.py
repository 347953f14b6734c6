# SPDX-License-Identifier: Apache-2.0
"""A scripted operator at the simulated arm, recorded as a person would be: no label but what the arm was commanded.

The columns are those of `vla data convert`: what the map's cameras see, the state, and as the action the controller's
setpoint one step later. The operator starts anywhere and is not exact. Afterwards the simulator's truth is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vla_controller.motion.setpoint import Setpoint
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_core.observation_map.observation_map import JOINT_MODES, ObservationMap
from vla_core.observation_map.presets import load_map
from vla_core.robot import load_robot_config
from vla_policy.loading import load_policy, policy_settings
from vla_policy.mapping.actions import action_of, encode_actions
from vla_policy.mapping.inputs import encode_state
from vla_policy.policy import Observation, Policy
from vla_sim.task.task import FAMILIES, SuccessTest
from vla_sim.world.layout import sample_task

from vla_training.data.bags.episode import INTERVENTION, Episode, image_key
from vla_training.data.collect import Collector, CollectSettings
from vla_training.data.lerobot.schema import ACTION, DONE, STATE, SUCCESS
from vla_training.evaluate.lockstep import LockstepSettings
from vla_training.evaluate.place import Place

AFTERWARDS = 2  # steps after the success that are recorded
BEFORE = (6, 30)  # steps of the policy before the operator takes over


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """Who is recorded. families: one that is named twice comes twice as often; map: of cameras, state and action.

    checkpoint: of the policy that acts before the operator takes over; empty: the operator alone.
    """

    robot: str = "fr3"
    families: tuple[str, ...] = FAMILIES
    map: str = "rt1"
    checkpoint: str = ""
    max_steps: int = 70
    perturbed: float = 0.3  # share of commands that are not exact
    noise: float = 0.012  # [m]


class Operator(Collector):
    """Makes episodes one after the other in one process; a Worker. The same item gives the same episode."""

    def __init__(self, settings: OperatorSettings) -> None:
        """Raise ObservationMapError for a map, PolicyError for a checkpoint that cannot be used."""
        made = CollectSettings(settings.robot, families=settings.families, max_steps=settings.max_steps)
        self._map = load_map(settings.map).for_robot(load_robot_config(settings.robot))
        period = LockstepSettings(policy_period=self._map.period_s)
        super().__init__(made, Place(settings.robot, made.image_size, period, self._map.cameras))
        self._perturbed, self._noise = settings.perturbed, settings.noise
        self._policy: Policy | None = None
        if settings.checkpoint:
            self._policy = load_policy(
                policy_settings("rt1", settings.robot, checkpoint=settings.checkpoint, threads=1)
            )

    def run(self, item: int) -> Episode:
        """Return the episode of seed `item`, successful or not."""
        rng = np.random.default_rng([item, 7])
        task = sample_task(rng, str(rng.choice(self.settings.families)))
        self._lay_out(task, rng, np.asarray(self._world.robot.home))
        test, text = SuccessTest(self._world, task), task.text()
        done = self._let_policy_act(text, test, rng)
        self._expert.reset(text)
        frames: list[tuple[Observation, Setpoint]] = []
        left = AFTERWARDS if done else self.settings.max_steps
        while left > 0:
            observation = self._lockstep.observe(scene=True)
            self._lockstep.apply(observation, self._inexact(self._expert.infer(observation), rng))
            if self._lockstep.setpoints:
                frames.append((observation, self._lockstep.setpoints[-1]))
            left -= 1
            if test.update() and not done:
                done, left = True, AFTERWARDS
        return self._episode(text, frames, done)

    def close(self) -> None:
        """Free the renderer and the policy."""
        super().close()
        if self._policy is not None:
            self._policy.close()

    def _let_policy_act(self, text: str, test: SuccessTest, rng: np.random.Generator) -> bool:
        """Let the policy act for a while; return whether it succeeded before the operator took over."""
        if self._policy is None:
            return False
        self._policy.reset(text)
        for _ in range(int(rng.integers(*BEFORE))):
            observation = self._lockstep.observe()
            self._lockstep.apply(observation, self._policy.infer(observation))
            if test.update():
                return True
        return False

    def _inexact(self, chunk: ActionChunk, rng: np.random.Generator) -> ActionChunk:
        step = chunk.steps[0]
        if step.terminate or rng.random() > self._perturbed:
            return chunk
        moved = step.translation + rng.normal(0.0, self._noise, 3)
        changed = ActionStep(translation=moved, gripper=step.gripper)
        return ActionChunk(chunk.stamp, chunk.mode, chunk.delta_reference, chunk.period, (changed,))

    def _episode(self, text: str, frames: list[tuple[Observation, Setpoint]], success: bool) -> Episode:
        last = np.arange(len(frames)) == len(frames) - 1
        columns: dict[str, NDArray[Any]] = {
            image_key(camera.name): np.stack([seen.images[camera.name] for seen, _ in frames])
            for camera in self._map.cameras
        }
        columns |= {
            STATE: np.stack([encode_state(self._map, seen) for seen, _ in frames]),
            ACTION: np.stack([encode_actions(self._map, self._commanded(seen, at), seen)[0] for seen, at in frames]),
            DONE: last,
            SUCCESS: last & success,
            INTERVENTION: np.full(len(frames), self._policy is not None),
        }
        return Episode(text, columns, success, self._map.period_s * (len(frames) - 1))

    def _commanded(self, observation: Observation, setpoint: Setpoint) -> ActionChunk:
        """The controller's setpoint as a chunk, in the mode of the map."""
        mode, joints = action_of(self._map).mode, self._world.robot.joint_names
        is_joint = mode in JOINT_MODES
        step = ActionStep(
            pose=self._lockstep.controller.kinematics.fk(setpoint.q),
            joints=setpoint.q if is_joint else None,
            gripper=setpoint.gripper,
        )
        kind = ActionMode.JOINT_POSITION if is_joint else ActionMode.EE_POSE
        names = tuple(joints) if is_joint else ()
        return ActionChunk(
            observation.stamp, kind, DeltaReference.OBSERVED, self._map.period_s, (step,), joint_names=names
        )


def map_of(settings: OperatorSettings) -> ObservationMap:
    """Return the map of the recordings."""
    return load_map(settings.map).for_robot(load_robot_config(settings.robot))
