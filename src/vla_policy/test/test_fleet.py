# SPDX-License-Identifier: Apache-2.0
"""Robots whose policy is in replicas: any replica continues any task, and a plan of replicas is checked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_core.settings import SettingsError
from vla_policy.errors import ConfigurationError, InferenceError, InstructionError, ObservationError, PolicyError
from vla_policy.policy import Observation, Policy
from vla_policy.serve.batcher import Made
from vla_policy.serve.fleet.plan import DEFAULT, read_plan
from vla_policy.serve.fleet.turns import Outcome, PastNeeded, Recollection, ReplicaSessions
from vla_policy.serve.settings import ServeSettings

HISTORY = 2


def seen(value: int) -> Observation:
    image = np.full((4, 4, 3), value, np.uint8)
    return Observation(
        float(value), {"front": image}, (), np.zeros(0), np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), 0.0
    )


class Summing(Policy):
    """x is the sum of the latest three pictures [cm]; 13 breaks it, 12 it refuses, "fly" it cannot."""

    name = "summing"

    def __init__(self) -> None:
        self.values: list[int] = []

    @property
    def history(self) -> int:
        return HISTORY

    def session(self) -> Self:
        return type(self)()

    def reset(self, instruction: str) -> None:
        if instruction == "fly":
            raise InstructionError("cannot")
        self.values = []

    def infer(self, observation: Observation) -> ActionChunk:
        value = int(observation.image[0, 0, 0])
        if value == 13:
            raise RuntimeError("boom")
        if value == 12:
            raise ObservationError("12")
        self.values = [*self.values, value][-HISTORY - 1 :]
        step = ActionStep(translation=np.array([0.01 * sum(self.values), 0.0, 0.0]), gripper=1.0)
        return ActionChunk(observation.stamp, ActionMode.EE_DELTA, DeltaReference.OBSERVED, 0.2, (step,))


class Fleet:
    """Replicas, of which any may get a turn and any may be replaced; asks as RaySession does."""

    def __init__(self, count: int, seed: int, most: int = 8) -> None:
        self.random, self.most = random.Random(seed), most
        self.replicas = [ReplicaSessions(Summing(), most) for _ in range(count)]
        self.completed = 0

    def ask(self, robot: Recollection, observation: Observation) -> Outcome:
        if self.random.random() < 0.2:
            self.replicas[self.random.randrange(len(self.replicas))] = ReplicaSessions(Summing(), self.most)
        for complete in (False, True):
            replica = self.random.choice(self.replicas)
            (outcome,) = replica.infer([robot.turn(observation, complete)])
            if not isinstance(outcome, PastNeeded):
                self.completed += complete
                robot.done(observation)
                return outcome
        raise AssertionError("a complete turn was refused")


def made(outcome: Outcome) -> float:
    assert isinstance(outcome, Made)
    return float(100.0 * outcome.chunk.steps[0].translation[0])


@pytest.mark.parametrize("seed", range(5))
def test_replicas_that_come_and_go_act_as_one_policy(seed: int) -> None:
    fleet, robots = Fleet(3, seed, most=2), [Recollection(str(number), HISTORY) for number in range(4)]
    alone = [Summing() for _ in robots]
    chance = random.Random(seed)
    for robot in robots:
        robot.begin("pick")
    for _ in range(60):
        number = chance.randrange(4)
        if chance.random() < 0.1:
            robots[number].begin("push")
            alone[number].reset("push")
        observation = seen(chance.randrange(10))
        wanted = 100.0 * alone[number].infer(observation).steps[0].translation[0]
        assert made(fleet.ask(robots[number], observation)) == pytest.approx(wanted)
    assert fleet.completed > 5


def test_what_one_robot_sends_concerns_it_alone() -> None:
    replica, robots = ReplicaSessions(Summing(), 8), [Recollection(str(number), HISTORY) for number in range(4)]
    for robot in robots[:3]:
        robot.begin("pick")
    robots[3].begin("fly")
    turns = [robot.turn(seen(value), False) for robot, value in zip(robots, (1, 12, 13, 1), strict=True)]
    good, refused, broken, cannot = replica.infer(turns)
    assert made(good) == pytest.approx(1.0)
    assert isinstance(good, Made)
    assert good.batch == 3
    kinds: Sequence[type[PolicyError]] = (ObservationError, InferenceError, InstructionError)
    for outcome, kind in zip((refused, broken, cannot), kinds, strict=True):
        assert isinstance(outcome, kind)


def test_a_replica_without_the_past_asks_for_it_and_a_first_observation_needs_none() -> None:
    robot = Recollection("a", HISTORY)
    robot.begin("pick")
    replica = ReplicaSessions(Summing(), 8)
    assert made(replica.infer([robot.turn(seen(1), False)])[0]) == pytest.approx(1.0)
    robot.done(seen(1))
    other = ReplicaSessions(Summing(), 8)
    assert isinstance(other.infer([robot.turn(seen(2), False)])[0], PastNeeded)
    assert made(other.infer([robot.turn(seen(2), True)])[0]) == pytest.approx(3.0)


def test_a_plan_is_ray_serves_options(tmp_path: Path) -> None:
    assert read_plan("") == DEFAULT
    path = tmp_path / "fleet.yaml"
    path.write_text("autoscaling_config: {min_replicas: 1, max_replicas: 4}\nray_actor_options: {num_gpus: 0.25}\n")
    plan = read_plan(str(path))
    assert plan["autoscaling_config"]["max_replicas"] == 4
    assert "num_replicas" not in plan
    for text in ("replicas: 2", "- 1", "num_replicas: 2\nautoscaling_config: {}", "a: ["):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=r"valid|cannot be read"):
            read_plan(str(path))
    with pytest.raises(SettingsError, match="fleet is for --engine ray"):
        ServeSettings(fleet="fleet.yaml")
