# SPDX-License-Identifier: Apache-2.0
"""Poses of the arm as they occur at work, with what is held: from chains of the scripted expert's tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vla_sim.expert.policy import ExpertPolicy
from vla_sim.task.task import FAMILIES
from vla_sim.world.layout import sample_layout, sample_task
from vla_sim.world.scene import BLOCKS
from vla_sim.world.world import World

from vla_training.evaluate.lockstep import Lockstep, LockstepSettings

Array = NDArray[np.float64]
_STEPS = 42  # of the expert in one task


@dataclass(frozen=True, slots=True, eq=False)
class ArmState:
    """Joints (n,) [rad], width of the gripper [m], and the pose (7,) of the block that is held, None without one."""

    joints: Array
    width: float
    held: Array | None


def collect_arm_states(robot: str, episodes: int, seed: int) -> list[ArmState]:
    """Return the states of the arm at every policy period of `episodes` tasks of the expert."""
    world = World(robot)
    lockstep = Lockstep(world, None, None, LockstepSettings())
    expert = ExpertPolicy(robot, lockstep.settings.policy_period)
    states: list[ArmState] = []
    for index in range(episodes):
        rng = np.random.default_rng([seed, 21, index])
        task = sample_task(rng, FAMILIES[index % len(FAMILIES)])
        lockstep.forget()
        sample_layout(world.robot, task, rng).apply(world)
        lockstep.start()
        expert.reset(task.text())
        for _ in range(_STEPS):
            observation = lockstep.observe(scene=True, image=False)
            states.append(_state(world))
            lockstep.apply(observation, expert.infer(observation))
    return states


def _state(world: World) -> ArmState:
    joints = world.joint_state()[1][: len(world.robot.joint_names)]
    held = next((world.object_pose(name) for name in BLOCKS if _held(world, name)), None)
    return ArmState(joints.copy(), world.gripper_width, held)


def _held(world: World, name: str) -> bool:
    near = np.linalg.norm(world.object_pose(name)[:3] - world.tcp_pose()[:3]) < 0.03
    return bool(near) and world.touching_fingers(name) and world.gripper_width < 0.06
