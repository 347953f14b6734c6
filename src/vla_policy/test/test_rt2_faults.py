# SPDX-License-Identifier: Apache-2.0
"""What could make the RT-2 policy move an arm wrongly, and must not: broken numbers, half a pass, foreign frames."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from vla_core.action import ActionMode
from vla_policy.action.presets import RT2_TABLETOP
from vla_policy.devices import chosen_device
from vla_policy.errors import ActionRefusedError, CheckpointError, ConfigurationError, InferenceError, InstructionError
from vla_policy.policy import Observation
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.model.checkpoint import RT2Checkpoint, RT2Info
from vla_policy.rt2.options import Options
from vla_policy.rt2.policy import RT2Policy
from vla_policy.rt2.prompt import prompt
from vla_policy.rt2.vocabulary import Strategy, build_vocabulary

INSTRUCTION = "pick up the red block"


def observe(seed: int = 0) -> Observation:
    image = np.random.default_rng(seed).integers(0, 256, (128, 160, 3), dtype=np.uint8)
    return Observation(
        1.0, {"front": image}, (), np.zeros(0), np.array([0.5, 0.1, 0.3]), np.array([1.0, 0.0, 0.0, 0.0]), 0.08
    )


def checkpoint(rt2_models: ModuleType, family: str, template: str = "rt2", **changes: Any) -> RT2Checkpoint:
    model, processor = rt2_models.make(family)
    vocabulary = build_vocabulary(Strategy.INTEGERS, processor.tokenizer)
    info = RT2Info(RT2_TABLETOP, vocabulary, prompt(template), "fr3", {"period_s": 0.2})
    return RT2Checkpoint(VlmBackend(model, processor), replace(info, **changes), "here")


@pytest.mark.parametrize("mass", ["first", "all"])
def test_a_legal_mass_that_is_no_number_is_under_any_threshold(rt2_models: ModuleType, mass: str) -> None:
    broken = checkpoint(rt2_models, "llava")
    policy = RT2Policy(broken, Options(min_legal_mass=1e-9, mass=mass))
    policy.reset(INSTRUCTION)
    policy.infer(observe())
    ids = broken.info.vocabulary.ids
    other = next(i for i in range(len(broken.backend.tokenizer)) if i not in ids)
    broken.backend.model.get_output_embeddings().weight[other] = float("nan")
    with pytest.raises(ActionRefusedError, match="gives nan to the legal actions") as refused:
        policy.infer(observe(1))
    assert np.isnan(refused.value.legal_mass)


def test_a_refusal_says_the_mass_that_it_is_about(rt2_models: ModuleType) -> None:
    policy = RT2Policy(checkpoint(rt2_models, "llava"), Options(min_legal_mass=1.0))
    policy.reset(INSTRUCTION)
    with pytest.raises(ActionRefusedError) as refused:
        policy.infer(observe())
    assert 0.0 < refused.value.legal_mass < 1.0


@pytest.mark.parametrize("family", ["llava", "fast_vlm", "qwen2_5_vl"])
def test_a_pass_that_fails_half_way_leaves_nothing_behind(rt2_models: ModuleType, family: str) -> None:
    """Lower layers would know one token more than upper ones, and the same picture would be answered from both."""
    made = checkpoint(rt2_models, family)
    policy = RT2Policy(made)
    policy.reset(INSTRUCTION)
    wanted = policy.infer(observe())
    calls = 0

    def fails(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:  # the first pass reads the prompt
            raise RuntimeError("out of memory")

    language = made.backend.model.model.language_model
    last = (language.layers if hasattr(language, "layers") else language.h)[-1]
    hook = last.register_forward_pre_hook(fails)
    with pytest.raises(InferenceError, match="RuntimeError: out of memory"):
        policy.infer(observe(1))
    hook.remove()
    for _ in range(2):
        again = policy.infer(observe())
        np.testing.assert_array_equal(again.tokens, wanted.tokens)
        np.testing.assert_allclose(again.token_probabilities, wanted.token_probabilities, rtol=1e-4)


@pytest.mark.parametrize("text", ["pick up </S> block", "pick up the <IMAGE>"])
def test_control_tokens_are_found_in_the_letters_that_the_model_reads(rt2_models: ModuleType, text: str) -> None:
    policy = RT2Policy(checkpoint(rt2_models, "llava", "openvla"))
    with pytest.raises(InstructionError, match="which steer the model"):
        policy.reset(text)


@pytest.mark.parametrize("changes", [{"frame": "tool"}, {"mode": ActionMode.EE_POSE}])
def test_actions_in_another_frame_or_absolute_poses_are_refused(
    rt2_models: ModuleType, changes: dict[str, Any]
) -> None:
    made = checkpoint(rt2_models, "fast_vlm", action_space=replace(RT2_TABLETOP, **changes))
    with pytest.raises(CheckpointError, match="valid"):
        RT2Policy(made)


@pytest.mark.parametrize(
    "control",
    [
        {"period_s": "abc"},
        {"period_s": None},
        {"period_s": 0.0},
        {"gripper_max_width": [1]},
        {"image_size": [128]},
        {"image_size": "xy"},
        {"image_size": [128, 1.5]},
        {"decode": "maybe"},
    ],
)
def test_control_values_are_checked_when_they_are_read(rt2_models: ModuleType, control: dict[str, Any]) -> None:
    good = checkpoint(rt2_models, "fast_vlm").info
    with pytest.raises(ConfigurationError, match=next(iter(control))):
        RT2Info.from_dict({**good.to_dict(), "control": control})


def test_a_checkpoint_names_the_decoding_that_suits_it(rt2_models: ModuleType) -> None:
    made = checkpoint(rt2_models, "fast_vlm", control={"decode": "median"})
    tokens = []
    for decode in ("auto", "median", "greedy"):
        policy = RT2Policy(made, Options(decode=decode))
        policy.reset(INSTRUCTION)
        tokens.append(policy.infer(observe()).tokens[0].tolist())
    assert tokens[0] == tokens[1] != tokens[2]


@pytest.mark.parametrize("name", ["cpu:x", "tpu", "", "cuda:99"])
def test_devices_that_are_not_there(name: str) -> None:
    with pytest.raises(ConfigurationError, match="valid here are cpu"):
        chosen_device(name)
