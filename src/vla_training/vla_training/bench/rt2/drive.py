# SPDX-License-Identifier: Apache-2.0
"""What a trained RT-2 sees while it acts: consecutive observations of a simulated episode that it drives itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from vla_policy.policy import Observation
from vla_policy.rt1.proprio import initial_gripper_command, proprio_vector
from vla_policy.rt2.decoding.constraint import LegalBins
from vla_policy.rt2.decoding.decode import ActionDecoder
from vla_policy.rt2.model.checkpoint import RT2Checkpoint
from vla_policy.rt2.policy import DEFAULT_MAX_WIDTH, RT2Policy
from vla_sim.world.camera import Camera
from vla_sim.world.layout import sample_layout, sample_task
from vla_sim.world.world import World

from vla_training.evaluate.lockstep import Lockstep

SIZE = (128, 160)  # (height, width) [px] of pictures for a checkpoint that names no size
SEED = 7


@dataclass(frozen=True, slots=True)
class Drive:
    """An instruction and the observations under it, one policy period apart."""

    checkpoint: RT2Checkpoint
    instruction: str
    observations: Sequence[Observation]

    def inputs(self, number: int) -> dict[str, Tensor]:
        """What the processor makes of observation `number`."""
        prompt, observation = self.checkpoint.info.prompt, self.observations[number]
        state = None
        if prompt.state is not None:
            gripper = initial_gripper_command(observation.gripper_width, DEFAULT_MAX_WIDTH)
            state = proprio_vector(prompt.state.names, observation, gripper)
        text = prompt.action_prompt(self.instruction, state)
        return self.checkpoint.backend.inputs([observation.image], [text], suffix=prompt.suffix)


def record(checkpoint: RT2Checkpoint, robot: str, steps: int) -> Drive:
    """Let the checkpoint act for `steps` periods on a random table; the same one every time.

    Raises UnknownRobotError for a robot that there is no model of.
    """
    policy, world, random = RT2Policy(checkpoint), World(robot), np.random.default_rng(SEED)
    camera = Camera(world)
    try:
        lockstep = Lockstep(world, camera, policy.image_size or SIZE)
        task = sample_task(random)
        sample_layout(world.robot, task, random).apply(world)
        lockstep.start()
        policy.reset(task.text())
        observations = [lockstep.observe()]
        while len(observations) < steps:
            lockstep.apply(observations[-1], policy.infer(observations[-1]))
            observations.append(lockstep.observe())
    finally:
        camera.close()
    return Drive(checkpoint, task.text(), observations)


def guessing(drive: Drive) -> dict[str, Any]:
    """What guessing the last action is worth on a drive: mean passes of an action, and that no action changed."""
    checkpoint = drive.checkpoint
    decoders = [
        ActionDecoder(
            checkpoint.backend,
            checkpoint.info,
            LegalBins(checkpoint.info.action_space),
            checkpoint.info.decode,
            draft=draft,
        )
        for draft in (True, False)
    ]
    passes, same = [], []
    for number in range(len(drive.observations)):
        inputs = drive.inputs(number)
        guessed, plain = (decoder.decode(inputs) for decoder in decoders)
        same.append(np.array_equal(guessed.tokens, plain.tokens))
        passes.append(decoders[0].passes)
    return {
        "actions": len(passes),
        "passes_mean": float(np.mean(passes)),
        "passes_without": decoders[1].passes,
        "same_actions": float(np.mean(same)),
    }
