# SPDX-License-Identifier: Apache-2.0
"""RT1Policy: history, decoding, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from vla_core.action import ActionChunk
from vla_policy.action.presets import JOINT, RT1_TABLETOP
from vla_policy.errors import CheckpointError, ConfigurationError, InstructionError, ObservationError
from vla_policy.policy import Observation, PolicyConfig
from vla_policy.rt1.checkpoint import load_checkpoint, save_checkpoint
from vla_policy.rt1.config import named_config
from vla_policy.rt1.instruction import InstructionEncoder
from vla_policy.rt1.network import RT1Network
from vla_policy.rt1.policy import Decoding, RT1Policy, create
from vla_policy.rt1.proprio import initial_gripper_command

PROPRIO = ("ee_x", "ee_y", "ee_z", "gripper_width", "last_gripper")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("checkpoint")
    network = RT1Network(named_config("lite", history=3, layers=2, proprio=PROPRIO, state_tokens=1), pretrained=False)
    save_checkpoint(path, network, RT1_TABLETOP.to_dict(), "fr3", {"period_s": 0.2})
    return path


@pytest.fixture(scope="module")
def encoder() -> InstructionEncoder:
    return InstructionEncoder()


@pytest.fixture
def policy(folder: Path, encoder: InstructionEncoder) -> RT1Policy:
    made = RT1Policy(load_checkpoint(folder), encoder)
    made.reset("pick up the red block")
    return made


def observe(stamp: float, seed: int = 0, width: float = 0.08, size: tuple[int, int] = (128, 160)) -> Observation:
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Observation(
        stamp, {"front": image}, (), np.zeros(0), np.array([0.4, 0.1, 0.3]), np.array([1.0, 0.0, 0.0, 0.0]), width
    )


def test_chunk_is_complete(policy: RT1Policy) -> None:
    chunk = policy.infer(observe(7.0))
    assert chunk.stamp == 7.0
    assert chunk.dimension_names == RT1_TABLETOP.names
    assert chunk.tokens is not None
    assert chunk.token_probabilities is not None
    assert (chunk.tokens[0] < np.array(RT1_TABLETOP.sizes)).all()
    assert ((chunk.token_probabilities > 0) & (chunk.token_probabilities <= 1)).all()
    assert abs(chunk.steps[0].translation).max() <= 0.06


def test_history_matters_and_reset_clears_it(policy: RT1Policy) -> None:
    fresh = policy.infer(observe(1.0, seed=5))
    policy.reset("pick up the red block")
    policy.infer(observe(0.8, seed=1))
    continued = policy.infer(observe(1.0, seed=5))
    policy.reset("pick up the red block")
    again = policy.infer(observe(1.0, seed=5))
    np.testing.assert_array_equal(again.token_probabilities, fresh.token_probabilities)
    assert abs(continued.token_probabilities - fresh.token_probabilities).max() > 0


def test_a_long_pause_forgets_the_frames_before_it(tmp_path: Path, encoder: InstructionEncoder) -> None:
    network = RT1Network(named_config("lite", history=3, layers=2), pretrained=False)
    save_checkpoint(tmp_path, network, RT1_TABLETOP.to_dict(), "fr3", {"period_s": 0.2})
    made = RT1Policy(load_checkpoint(tmp_path), encoder)
    probabilities = []
    for first in (None, 1.0, 99.8):
        made.reset("pick up the red block")
        if first is not None:
            made.infer(observe(first, seed=1))
        probabilities.append(made.infer(observe(100.0, seed=5)).token_probabilities)
    np.testing.assert_array_equal(probabilities[1], probabilities[0])
    assert abs(probabilities[2] - probabilities[0]).max() > 0


def test_a_history_that_grows_gives_one_robot_the_same_in_a_batch(tmp_path: Path, encoder: InstructionEncoder) -> None:
    network = RT1Network(named_config("lite", history=3, layers=2, fill_history=False), pretrained=False)
    save_checkpoint(tmp_path, network, RT1_TABLETOP.to_dict(), "fr3", {"period_s": 0.2})
    made = RT1Policy(load_checkpoint(tmp_path), encoder)
    older, younger = made.session(), made.session()
    for session in (older, younger):
        session.reset("pick up the red block")
    older.infer(observe(0.8, seed=1))
    both = made.infer_batch([older, younger], [observe(1.0, seed=2), observe(1.0, seed=3)])
    for frames, chunk in zip(([(0.8, 1), (1.0, 2)], [(1.0, 3)]), both, strict=True):
        made.reset("pick up the red block")
        alone = [made.infer(observe(stamp, seed=seed)) for stamp, seed in frames][-1]
        assert isinstance(chunk, ActionChunk)
        np.testing.assert_allclose(chunk.token_probabilities, alone.token_probabilities, rtol=1e-4)


def test_expected_decoding_stays_within_two_bins(folder: Path, encoder: InstructionEncoder) -> None:
    steps = []
    for decoding in Decoding:
        made = RT1Policy(load_checkpoint(folder), encoder, decoding=decoding)
        made.reset("push the blue block to the left")
        steps.append(made.infer(observe(0.0)).steps[0])
    assert abs(steps[0].translation - steps[1].translation).max() <= 2 * 0.12 / 255 + 1e-12


def test_refusals(policy: RT1Policy, folder: Path, encoder: InstructionEncoder) -> None:
    with pytest.raises(ObservationError, match="128x160"):
        policy.infer(observe(0.0, size=(64, 64)))
    with pytest.raises(ObservationError, match="gripper_width"):
        policy.infer(observe(0.0, width=float("nan")))
    with pytest.raises(InstructionError, match="no words"):
        policy.reset("  ")
    with pytest.raises(InstructionError, match="reset"):
        RT1Policy(load_checkpoint(folder), encoder).infer(observe(0.0))


def test_create_checks_device_robot_and_path(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="valid here are cpu"):
        create(PolicyConfig(checkpoint=str(folder), device="tpu"))
    with pytest.raises(CheckpointError, match="wx250s"):
        create(PolicyConfig(checkpoint=str(folder), robot="wx250s"))
    with pytest.raises(CheckpointError, match="shipped are"):
        create(PolicyConfig(checkpoint="/nowhere/at/all"))
    made = create(PolicyConfig(checkpoint=str(folder), robot="fr3"))
    assert made.checkpoint == str(folder)
    with pytest.raises(InstructionError):
        made.infer(observe(0.0))


def test_action_space_must_fit_the_network(folder: Path, tmp_path: Path, encoder: InstructionEncoder) -> None:
    network = load_checkpoint(folder).network
    for space, match in ((JOINT.to_dict() | {"bins": 128}, "128 bins"), ({"name": "x"}, "not valid")):
        save_checkpoint(tmp_path, network, space, "fr3")
        with pytest.raises(CheckpointError, match=match):
            RT1Policy(load_checkpoint(tmp_path), encoder)


def test_gripper_command_before_the_first_one() -> None:
    assert initial_gripper_command(0.08, 0.08) == 1.0
    assert initial_gripper_command(0.045, 0.08) == 0.0
