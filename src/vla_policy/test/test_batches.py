# SPDX-License-Identifier: Apache-2.0
"""Several robots on one set of weights: a batch is what each robot would get alone, and a bad row hurts no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_policy.action.presets import RT1_TABLETOP, RT2_TABLETOP
from vla_policy.errors import ConfigurationError, InstructionError, ObservationError, PolicyError
from vla_policy.policy import Observation, Policy
from vla_policy.rt1.checkpoint import load_checkpoint, save_checkpoint
from vla_policy.rt1.config import named_config
from vla_policy.rt1.instruction import InstructionEncoder
from vla_policy.rt1.network import RT1Network
from vla_policy.rt1.policy import RT1Policy
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.model.checkpoint import RT2Checkpoint, RT2Info
from vla_policy.rt2.options import Options
from vla_policy.rt2.policy import RT2Policy
from vla_policy.rt2.prompt import prompt
from vla_policy.rt2.vocabulary import Strategy, build_vocabulary
from vla_policy.serve.batcher import Made
from vla_policy.serve.fleet.turns import Recollection, ReplicaSessions

INSTRUCTIONS = ("pick up the red block", "push the blue block to the left", "put the green block into the bowl, now")
FRAMES = 4
P = TypeVar("P", bound=Policy)
Outcomes = list[ActionChunk | PolicyError]


def observe(stamp: float, seed: int, width: float = 0.08, size: tuple[int, int] = (128, 160)) -> Observation:
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    position = random.uniform([0.3, -0.3, 0.1], [0.6, 0.3, 0.5])
    return Observation(stamp, {"front": image}, (), np.zeros(0), position, np.array([1.0, 0.0, 0.0, 0.0]), width)


@pytest.fixture(scope="module")
def rt1(tmp_path_factory: pytest.TempPathFactory) -> RT1Policy:
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("checkpoint")
    state = ("ee_x", "ee_y", "ee_z", "gripper_width", "last_gripper")
    network = RT1Network(named_config("lite", history=3, layers=2, proprio=state, state_tokens=1), pretrained=False)
    save_checkpoint(folder, network, RT1_TABLETOP.to_dict(), "fr3", {"period_s": 0.2})
    return RT1Policy(load_checkpoint(folder), InstructionEncoder())


def rt2(rt2_models: ModuleType, family: str, **options: Any) -> RT2Policy:
    model, processor = rt2_models.make(family)
    vocabulary = build_vocabulary(Strategy.INTEGERS, processor.tokenizer)
    info = RT2Info(RT2_TABLETOP, vocabulary, prompt("rt2"), "fr3", {"period_s": 0.2})
    return RT2Policy(RT2Checkpoint(VlmBackend(model, processor), info, "here"), Options(**options))


def drive(policy: P, infer: Callable[[Sequence[P], Sequence[Observation]], Outcomes]) -> list[ActionChunk]:
    """Chunks of three robots that see other things, were told other things, and began at other times."""
    robots = [policy.session() for _ in INSTRUCTIONS]
    made: list[ActionChunk] = []
    for frame in range(FRAMES):
        present = [i for i in range(len(robots)) if frame >= i]
        for i in present:
            if frame == i:
                robots[i].reset(INSTRUCTIONS[i])
        seen = [observe(0.2 * frame, 10 * frame + i, 0.08 if i else 0.02) for i in present]
        chunks = infer([robots[i] for i in present], seen)
        for chunk in chunks:
            assert isinstance(chunk, ActionChunk)
            made.append(chunk)
    return made


def check_a_batch_is_what_each_gets_alone(policy: Policy) -> None:
    together = drive(policy, policy.infer_batch)
    alone = drive(policy, lambda robots, seen: [r.infer(o) for r, o in zip(robots, seen, strict=True)])
    assert len(together) == len(alone) == FRAMES + FRAMES - 1 + FRAMES - 2
    for one, other in zip(together, alone, strict=True):
        assert one.stamp == other.stamp
        np.testing.assert_array_equal(one.tokens, other.tokens)
        assert one.token_probabilities is not None
        assert other.token_probabilities is not None
        np.testing.assert_allclose(one.token_probabilities, other.token_probabilities, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(one.steps[0].translation, other.steps[0].translation, atol=1e-9)
        if one.legal_mass is not None and other.legal_mass is not None:
            np.testing.assert_allclose(one.legal_mass, other.legal_mass, rtol=1e-3, atol=1e-5)


def test_rt1(rt1: RT1Policy) -> None:
    check_a_batch_is_what_each_gets_alone(rt1)


def test_rt1_computes_one_pass_for_all(rt1: RT1Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    decode = RT1Network.decode

    def counted(self: RT1Network, tokens: torch.Tensor, proprio: torch.Tensor) -> torch.Tensor:
        sizes.append(len(tokens))
        return decode(self, tokens, proprio)

    monkeypatch.setattr(RT1Network, "decode", counted)
    drive(rt1, rt1.infer_batch)
    assert sizes == [1, 2, 3, 3]


@pytest.mark.parametrize("family", ["paligemma", "idefics3", "fast_vlm"])
def test_rt2(rt2_models: ModuleType, family: str) -> None:
    check_a_batch_is_what_each_gets_alone(rt2(rt2_models, family))


def test_rt2_beams_are_followed_one_robot_at_a_time(rt2_models: ModuleType) -> None:
    check_a_batch_is_what_each_gets_alone(rt2(rt2_models, "fast_vlm", decode="beam", beams=2))


def test_a_bad_row_fails_alone(rt1: RT1Policy, rt2_models: ModuleType) -> None:
    cases: tuple[tuple[Any, Observation], ...] = (
        (rt1, observe(0.0, 2, size=(64, 64))),
        (rt1, observe(0.0, 2, width=float("nan"))),
        (rt2(rt2_models, "fast_vlm"), observe(0.0, 2, size=(1, 1))),
    )
    for policy, bad in cases:
        robots = [policy.session() for _ in range(4)]
        for robot in robots[:3]:
            robot.reset(INSTRUCTIONS[0])
        made = policy.infer_batch(robots, [observe(0.0, 1), bad, observe(0.0, 3), observe(0.0, 4)])
        assert isinstance(made[3], InstructionError)
        for good in (0, 2):
            chunk = made[good]
            assert isinstance(chunk, ActionChunk)
            lone = policy.session()
            lone.reset(INSTRUCTIONS[0])
            np.testing.assert_array_equal(chunk.tokens, lone.infer(observe(0.0, good + 1)).tokens)
        if policy is rt1:
            assert isinstance(made[1], ObservationError)


def test_a_replica_continues_a_history_of_rt1_that_another_one_began(rt1: RT1Policy) -> None:
    assert rt1.history == 2
    robot, alone = Recollection("a", rt1.history), rt1.session()
    robot.begin(INSTRUCTIONS[0])
    alone.reset(INSTRUCTIONS[0])
    replicas = [ReplicaSessions(rt1, 4), ReplicaSessions(rt1, 4)]
    for number in range(6):
        observation = observe(0.2 * number, number)
        (made,) = replicas[number // 4].infer([robot.turn(observation, complete=number == 4)])
        robot.done(observation)
        assert isinstance(made, Made)
        np.testing.assert_array_equal(made.chunk.tokens, alone.infer(observation).tokens)


class Counter(Policy):
    """Not batched by itself; refuses every second observation."""

    name = "counter"

    def reset(self, instruction: str) -> None:
        pass

    def infer(self, observation: Observation) -> ActionChunk:
        if observation.stamp % 2:
            raise ObservationError("odd")
        return ActionChunk(observation.stamp, ActionMode.EE_DELTA, DeltaReference.OBSERVED, 0.2, (ActionStep(),))


def test_any_policy_takes_a_batch_and_says_that_it_keeps_one_robot() -> None:
    policy = Counter()
    made = policy.infer_batch([policy, Counter()], [observe(2.0, 1), observe(3.0, 1)])
    assert isinstance(made[0], ActionChunk)
    assert isinstance(made[1], PolicyError)
    with pytest.raises(ConfigurationError, match="one robot at a time"):
        policy.session()
