# SPDX-License-Identifier: Apache-2.0
"""The robot's half of a policy: JPEG and image tokens in place of images, and a local policy when the link is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from vla_core.action import ActionChunk
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.presets import load_map
from vla_core.robot import load_robot_config
from vla_policy.action.presets import RT1_TABLETOP
from vla_policy.edge.fallback import FallbackPolicy
from vla_policy.edge.policy import EdgePolicy, create
from vla_policy.errors import (
    ConfigurationError,
    InstructionError,
    ObservationError,
    ServerRefusedError,
    UnavailableError,
)
from vla_policy.policy import Observation, Policy, PolicyConfig
from vla_policy.rt1.checkpoint import load_checkpoint, save_checkpoint
from vla_policy.rt1.config import named_config
from vla_policy.rt1.instruction import InstructionEncoder
from vla_policy.rt1.network import RT1Network
from vla_policy.rt1.policy import RT1Policy
from vla_policy.serve.testing import CountingPolicy, serving_policy

INSTRUCTION = "pick up the red block"


def make_checkpoint(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    network = RT1Network(named_config("lite", history=2, layers=2), pretrained=False)
    save_checkpoint(folder, network, RT1_TABLETOP.to_dict(), "fr3", {"period_s": 0.2})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint"), 1)


@pytest.fixture(scope="module")
def encoder() -> InstructionEncoder:
    return InstructionEncoder()


@pytest.fixture(scope="module")
def rt1_map() -> ObservationMap:
    return load_map("rt1").for_robot(load_robot_config("fr3"))


def observe(stamp: float, seed: int = 0) -> Observation:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (8, 10, 3), dtype=np.uint8)
    image = coarse.repeat(16, axis=0).repeat(16, axis=1)
    position, quaternion = np.array([0.5, 0.0, 0.3]), np.array([1.0, 0.0, 0.0, 0.0])
    return Observation(stamp, {"front": image}, (), np.zeros(0), position, quaternion, 0.08)


def config(port: int, rt1_map: ObservationMap, checkpoint: str = "", **options: str | float) -> PolicyConfig:
    given = {"server": f"ws://127.0.0.1:{port}", "reply_timeout": 20.0, **options}
    return PolicyConfig(checkpoint=checkpoint, robot="fr3", observation_map=rt1_map, options=given)


def test_image_tokens_stand_for_the_image(folder: Path, encoder: InstructionEncoder) -> None:
    whole, split = (RT1Policy(load_checkpoint(folder), encoder) for _ in range(2))
    robot = whole.session()
    for policy in (whole, split, robot):
        policy.reset(INSTRUCTION)
    for frame in range(3):
        seen = observe(0.2 * frame, frame)
        tokens = robot.encode(seen)
        blank = {"front": np.zeros_like(seen.image)}
        bare = Observation(
            seen.stamp, blank, (), np.zeros(0), seen.ee_position, seen.ee_quaternion_xyzw, 0.08, None, tokens
        )
        one, other = whole.infer(seen), split.infer(bare)
        np.testing.assert_array_equal(one.tokens, other.tokens)
        np.testing.assert_allclose(one.token_probabilities, other.token_probabilities, rtol=1e-5)
    wrong = replace(seen, encoded=tokens[:3])
    with pytest.raises(ObservationError, match=r"image tokens are \(3, 192\); the network needs \(8, 192\)"):
        split.infer(wrong)
    with pytest.raises(ConfigurationError, match="no vision encoder"):
        CountingPolicy().encode(seen)


@pytest.mark.parametrize("send", ["image", "jpeg", "encoded"])
def test_what_is_sent_gives_the_action_of_the_whole_policy(
    folder: Path, encoder: InstructionEncoder, rt1_map: ObservationMap, send: str
) -> None:
    local = RT1Policy(load_checkpoint(folder), encoder)
    with serving_policy(RT1Policy(load_checkpoint(folder), encoder), rt1_map) as port:
        policy = create(config(port, rt1_map, str(folder), send=send))
        for one in (local, policy):
            one.reset(INSTRUCTION)
        for frame in range(3):
            mine, theirs = local.infer(observe(0.2 * frame, frame)), policy.infer(observe(0.2 * frame, frame))
            assert mine.token_probabilities is not None
            assert theirs.token_probabilities is not None
            loose = {"image": 1e-5, "encoded": 0.02, "jpeg": 0.5}[send]
            np.testing.assert_allclose(theirs.token_probabilities, mine.token_probabilities, rtol=loose)
        policy.close()


def test_other_weights_and_other_servers_are_refused(
    folder: Path, encoder: InstructionEncoder, rt1_map: ObservationMap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_checkpoint(tmp_path, 2)
    served = RT1Policy(load_checkpoint(folder), encoder)
    with serving_policy(served, rt1_map) as port, pytest.raises(ServerRefusedError, match="same weights"):
        create(config(port, rt1_map, str(other), send="encoded"))
    with serving_policy(CountingPolicy(), rt1_map) as port, pytest.raises(ServerRefusedError, match="encoder is none"):
        create(config(port, rt1_map, str(folder), send="encoded"))
    monkeypatch.setattr("vla_policy.edge.policy.create_by_name", lambda name, config: CountingPolicy())
    with pytest.raises(ConfigurationError, match="valid is send=jpeg"):
        create(config(1, rt1_map, send="encoded"))
    with pytest.raises(ConfigurationError, match="image, jpeg, encoded"):
        create(config(1, rt1_map, send="pigeon"))
    with pytest.raises(ConfigurationError, match="needs a server"):
        create(PolicyConfig(observation_map=rt1_map))


class Switched(CountingPolicy):
    """A remote policy whose link can be cut, or made slow [s]."""

    name = "switched"
    cut, slow = False, 0.0

    def infer(self, observation: Observation) -> ActionChunk:
        time.sleep(self.slow)
        if self.cut:
            raise UnavailableError("the cable is out")
        return super().infer(observation)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def tokens_of(policy: Policy) -> int:
    chunk = policy.infer(observe(0.0))
    assert chunk.tokens is not None
    return int(chunk.tokens[0, 0])


def test_the_local_policy_acts_while_the_link_is_gone() -> None:
    remote, local = Switched(), CountingPolicy()
    policy = FallbackPolicy(remote, local, in_time_s=5.0, probe_period_s=0.05)
    policy.reset(INSTRUCTION)
    assert [tokens_of(policy) for _ in range(2)] == [1, 2]
    remote.cut = True
    assert [tokens_of(policy) for _ in range(3)] == [1, 2, 3]  # the very observation that failed has an action
    assert policy.acting is local
    assert policy.checkpoint == "local counting, for the cable is out"
    policy.reset("push the blue block to the left")
    assert tokens_of(policy) == 1
    assert local.task == "push the blue block to the left"
    remote.cut = False
    until(lambda: policy.acting is remote)
    assert tokens_of(policy) == 1  # it begins the task anew
    assert remote.task == "push the blue block to the left"
    policy.close()
    assert remote.closed
    assert local.closed


def test_a_link_that_answers_late_stays_away() -> None:
    remote = Switched()
    policy = FallbackPolicy(remote, CountingPolicy(), in_time_s=0.01, probe_period_s=0.01)
    policy.reset(INSTRUCTION)
    remote.cut = True
    tokens_of(policy)
    remote.cut, remote.slow = False, 0.05
    for _ in range(10):
        time.sleep(0.02)
        assert policy.acting is not remote
    remote.slow = 0.0
    until(lambda: policy.acting is remote)
    policy.close()


def test_without_a_server_the_fallback_acts_from_the_start(rt1_map: ObservationMap) -> None:
    policy = create(config(1, rt1_map, fallback="rt1", reply_timeout=1.0))
    policy.reset(INSTRUCTION)
    assert len(policy.infer(observe(0.0)).steps) == 1
    assert policy.checkpoint.startswith("local rt1, for ")
    policy.close()
    holding = create(config(1, rt1_map, reply_timeout=1.0))
    holding.reset(INSTRUCTION)
    with pytest.raises(UnavailableError):
        holding.infer(observe(0.0))


def test_a_task_that_the_encoder_cannot_serve(
    folder: Path, encoder: InstructionEncoder, rt1_map: ObservationMap
) -> None:
    with serving_policy(RT1Policy(load_checkpoint(folder), encoder), rt1_map) as port:
        policy = create(config(port, rt1_map, str(folder), send="encoded"))
        assert isinstance(policy, EdgePolicy)
        with pytest.raises(InstructionError, match="no words"):
            policy.reset("  ")
