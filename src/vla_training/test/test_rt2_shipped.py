# SPDX-License-Identifier: Apache-2.0
"""The small RT-2 that ships: it loads by its name, acts on instructions, and knows what it sees."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from vla_policy.policy import Observation, Policy, PolicyConfig
from vla_policy.registry import create
from vla_sim.task.task import Task
from vla_sim.world.camera import Camera
from vla_sim.world.layout import sample_layout
from vla_sim.world.world import World
from vla_training.evaluate.lockstep import Lockstep, LockstepSettings
from vla_training.evaluate.questions import ask_scenes

PAIR = Task("near", "red block", "blue block")


@pytest.fixture(scope="module")
def policy() -> Iterator[Policy]:
    policy = create("rt2", PolicyConfig(robot="fr3", threads=1))
    yield policy
    policy.close()


@pytest.fixture(scope="module")
def observations() -> Iterator[list[Observation]]:
    """Tables with a red and a blue block, seen from home."""
    world = World("fr3")
    camera = Camera(world)
    lockstep, seen = Lockstep(world, camera, (128, 160), LockstepSettings()), []
    for seed in range(4):
        lockstep.forget()
        sample_layout(world.robot, PAIR, np.random.default_rng([seed, 77])).apply(world)
        lockstep.start()
        seen.append(lockstep.observe(scene=True))
    yield seen
    camera.close()


def test_the_hand_goes_to_the_block_that_is_named(policy: Policy, observations: list[Observation]) -> None:
    right = []
    for observation in observations:
        assert observation.scene is not None
        for name in ("red block", "blue block"):
            policy.reset(f"pick up the {name}")
            chunk = policy.infer(observation)
            wanted = observation.scene[name][:2] - observation.ee_position[:2]
            right.append(float(np.dot(chunk.steps[0].translation[:2], wanted)) > 0.0)
            assert chunk.legal_mass is not None
            assert float(np.nanmin(chunk.legal_mass)) > 0.9
    assert sum(right) >= 6


def test_it_answers_most_questions_about_new_scenes(policy: Policy) -> None:
    answers = list(ask_scenes(policy, "fr3", scenes=4, per_scene=8, seed=5))
    assert sum(answer.right for answer in answers) >= 0.6 * len(answers)
