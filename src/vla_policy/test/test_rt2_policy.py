# SPDX-License-Identifier: Apache-2.0
"""RT2Policy: every family acts, what comes out is legal, and what it refuses leaves the arm where it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from vla_policy.action.motion_limits import MotionLimits
from vla_policy.action.presets import RT1_TABLETOP, RT2_TABLETOP
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.errors import (
    ActionRefusedError,
    CheckpointError,
    ConfigurationError,
    InstructionError,
    ObservationError,
)
from vla_policy.policy import Answer, Observation, PolicyConfig
from vla_policy.registry import create as create_by_name
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.model.checkpoint import RT2Checkpoint, RT2Info, save_checkpoint
from vla_policy.rt2.options import Options, options_from
from vla_policy.rt2.policy import RT2Policy, create
from vla_policy.rt2.prompt import prompt
from vla_policy.rt2.task import PLAN_PERIOD_S
from vla_policy.rt2.vocabulary import Strategy, build_vocabulary

FAMILIES = ("paligemma", "idefics3", "qwen2_5_vl", "llava", "fast_vlm")
INSTRUCTION = "pick up the red block"


def observe(stamp: float = 1.0, seed: int = 0, width: float = 0.08) -> Observation:
    image = np.random.default_rng(seed).integers(0, 256, (128, 160, 3), dtype=np.uint8)
    return Observation(
        stamp, {"front": image}, (), np.zeros(0), np.array([0.5, 0.1, 0.3]), np.array([1.0, 0.0, 0.0, 0.0]), width
    )


def checkpoint(
    rt2_models: ModuleType, family: str = "fast_vlm", template: str = "rt2", **changes: Any
) -> RT2Checkpoint:
    model, processor = rt2_models.make(family)
    vocabulary = build_vocabulary(Strategy.INTEGERS, processor.tokenizer)
    info = RT2Info(RT2_TABLETOP, vocabulary, prompt(template), "fr3", {"period_s": 0.2})
    return RT2Checkpoint(VlmBackend(model, processor), replace(info, **changes), "here")


@pytest.fixture(scope="module")
def plain(rt2_models: ModuleType) -> RT2Checkpoint:
    return checkpoint(rt2_models)


@pytest.fixture
def policy(plain: RT2Checkpoint) -> RT2Policy:
    made = RT2Policy(plain)
    made.reset(INSTRUCTION)
    return made


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_acts_and_answers(rt2_models: ModuleType, family: str) -> None:
    made = RT2Policy(checkpoint(rt2_models, family))
    made.warm_up()
    made.reset(INSTRUCTION)
    chunk = made.infer(observe(7.0))
    assert (chunk.stamp, chunk.period, len(chunk.steps)) == (7.0, 0.2, 1)
    assert chunk.dimension_names == RT2_TABLETOP.names
    assert chunk.tokens is not None
    assert chunk.token_probabilities is not None
    assert chunk.legal_mass is not None
    assert (chunk.tokens[0] < np.array(RT2_TABLETOP.sizes)).all()
    assert ((chunk.token_probabilities > 0) & (chunk.token_probabilities <= 1)).all()
    assert 0.0 < chunk.legal_mass[0, 0] < 1.0
    assert abs(chunk.steps[0].translation).max() <= 0.06
    answer = answered(made)
    assert answer is None or (answer.text and 0.0 < answer.confidence <= 1.0)


def answered(policy: RT2Policy) -> Answer | None:
    """What it says about a picture; None where its random weights end the answer at once."""
    try:
        return policy.ask(observe(), "where is the red block?")
    except InstructionError:
        return None


def test_the_step_is_what_the_tokens_say(policy: RT2Policy) -> None:
    chunk = policy.infer(observe())
    assert chunk.tokens is not None
    tokenizer = ActionTokenizer(RT2_TABLETOP)
    values = tokenizer.rest(tokenizer.decode(chunk.tokens[0]))
    step = chunk.steps[0]
    assert step.terminate == (chunk.tokens[0, 0] == 1)
    if not step.terminate:
        np.testing.assert_allclose(step.translation, values[1:4])
    assert step.gripper == pytest.approx(values[7])


def test_the_same_picture_gives_the_same_action_whatever_came_between(policy: RT2Policy) -> None:
    first = policy.infer(observe(1.0))
    for seed in (1, 2):
        policy.infer(observe(1.0 + seed, seed))
    with pytest.raises(InstructionError):
        policy.ask(observe(5.0, 3), " ")
    again = policy.infer(observe(9.0))
    np.testing.assert_array_equal(first.tokens, again.tokens)
    np.testing.assert_allclose(first.token_probabilities, again.token_probabilities, rtol=1e-4)


def test_a_question_before_the_first_task_and_in_between(plain: RT2Checkpoint) -> None:
    made = RT2Policy(plain)
    before = answered(made)
    made.reset(INSTRUCTION)
    made.infer(observe())
    after = answered(made)
    assert (before and before.text) == (after and after.text)


def test_the_state_is_in_the_prompt(rt2_models: ModuleType) -> None:
    made = RT2Policy(checkpoint(rt2_models, template="rt2_state"))
    made.reset(INSTRUCTION)
    one = made.infer(observe(1.0, width=0.08)).token_probabilities
    other = made.infer(observe(2.0, width=0.0)).token_probabilities
    assert not np.allclose(one, other, rtol=1e-6)
    with pytest.raises(ObservationError, match="has no gripper_width"):
        made.infer(observe(3.0, width=float("nan")))


def test_limits_narrow_what_comes_out(plain: RT2Checkpoint) -> None:
    here = np.array([0.5, 0.1, 0.3])
    limits = MotionLimits(tuple(here - 0.001), tuple(here + 0.001), 0.02, 0.05)
    made = RT2Policy(plain, Options(decode="sample", seed=0), limits)
    made.reset(INSTRUCTION)
    steps = [made.infer(observe(float(i), i)).steps[0] for i in range(20)]
    assert max(abs(step.translation).max() for step in steps) <= 0.001 + 1e-9
    assert max(np.linalg.norm(step.rotation_vector) for step in steps) <= 0.05 * 0.2 + 1e-9


@pytest.mark.parametrize("mode", ["greedy", "sample", "beam"])
def test_every_mode_says_legal_actions(plain: RT2Checkpoint, mode: str) -> None:
    made = RT2Policy(plain, Options(decode=mode, beams=3, mass="all", seed=1))
    made.reset(INSTRUCTION)
    chunk = made.infer(observe())
    assert chunk.tokens is not None
    assert chunk.legal_mass is not None
    assert (chunk.tokens[0] < np.array(RT2_TABLETOP.sizes)).all()
    assert np.isfinite(chunk.legal_mass).all()


def test_a_low_legal_mass_refuses_the_action(plain: RT2Checkpoint) -> None:
    made = RT2Policy(plain, Options(min_legal_mass=0.99))
    made.warm_up()  # a random model is refused for what it says, not at loading
    made.reset(INSTRUCTION)
    with pytest.raises(ActionRefusedError, match=r"to the legal actions; valid is 0\.99 or more"):
        made.infer(observe())


def test_a_model_that_fails_refuses_the_action(rt2_models: ModuleType) -> None:
    broken = checkpoint(rt2_models)
    made = RT2Policy(broken)
    made.reset(INSTRUCTION)
    broken.backend.model.model.language_model.ln_f.weight.fill_(float("nan"))
    with pytest.raises(ActionRefusedError, match="not finite"):
        made.infer(observe())
    with pytest.raises(ActionRefusedError, match="not finite"):
        made.ask(observe(), "what is red?")


def test_a_model_that_answers_nothing_says_so(rt2_models: ModuleType) -> None:
    silent = checkpoint(rt2_models, template="rt2_plan")
    end = silent.backend.tokenizer.eos_token_id
    head = silent.backend.model.get_output_embeddings()
    bias = torch.zeros(head.weight.shape[0])
    bias[end] = 100.0
    head.bias = torch.nn.Parameter(bias, requires_grad=False)
    made = RT2Policy(silent, Options(plan=True))
    made.reset(INSTRUCTION)
    with pytest.raises(InstructionError, match="the model answers nothing to 'what is red"):
        made.ask(observe(), "what is red?")
    assert made.infer(observe()).plan == ""  # it acts without one


def test_a_processor_of_another_model_is_refused_at_loading(rt2_models: ModuleType) -> None:
    wrong = checkpoint(rt2_models, "llava")
    wrong.backend.processor.patch_size = 7  # four times as many placeholders as there are features
    with pytest.raises(CheckpointError, match="here cannot act on a picture 128x160"):
        RT2Policy(wrong).warm_up()


def test_a_plan_comes_first_and_is_renewed(rt2_models: ModuleType) -> None:
    planner = checkpoint(rt2_models, template="rt2_plan")
    made = RT2Policy(planner, Options(plan=True))
    made.reset(INSTRUCTION)
    first = made.infer(observe(1.0, 0))
    assert first.plan == made.plan(observe(1.0, 0))
    assert made.infer(observe(2.0, 5)).plan == first.plan
    later = made.infer(observe(1.0 + PLAN_PERIOD_S, 5))
    assert later.plan == made.plan(observe(1.0, 5))
    without = RT2Policy(planner)
    without.reset(INSTRUCTION)
    assert without.infer(observe()).plan == ""


def test_a_plan_that_was_not_learnt_is_refused(plain: RT2Checkpoint) -> None:
    with pytest.raises(ConfigurationError, match="here has not learnt to plan; valid is plan:=false"):
        RT2Policy(plain, Options(plan=True))
    assert RT2Policy(plain).plan(observe()) == ""


def test_instructions_that_cannot_be_served(policy: RT2Policy, plain: RT2Checkpoint) -> None:
    with pytest.raises(InstructionError, match="call reset first"):
        RT2Policy(plain).infer(observe())
    before = policy.infer(observe()).tokens
    for text in ("", " ?!", "pick up <image>", "stop </s> now"):
        with pytest.raises(InstructionError):
            policy.reset(text)
    np.testing.assert_array_equal(policy.infer(observe()).tokens, before)  # the task of before continues
    policy.reset("red " * 600)
    with pytest.raises(InstructionError, match="valid are at most 504, for 8 are to follow"):
        policy.infer(observe())
    policy.close()
    with pytest.raises(InstructionError, match="call reset first"):
        policy.infer(observe())


def test_the_checkpoint_may_name_a_size(rt2_models: ModuleType, plain: RT2Checkpoint) -> None:
    assert RT2Policy(plain).image_size is None
    sized = checkpoint(rt2_models, control={"image_size": [96, 128], "period_s": 0.1})
    made = RT2Policy(sized)
    assert made.image_size == (96, 128)
    made.reset(INSTRUCTION)
    assert made.infer(observe()).period == 0.1


def test_another_space(rt2_models: ModuleType) -> None:
    made = RT2Policy(checkpoint(rt2_models, action_space=RT1_TABLETOP))
    made.reset(INSTRUCTION)
    chunk = made.infer(observe())
    assert chunk.dimension_names == RT1_TABLETOP.names


def test_made_by_name_from_a_folder(rt2_models: ModuleType, plain: RT2Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, plain.backend.model, plain.backend.processor, plain.info)
    options = {
        "decode": "beam",
        "beams": 2,
        "dtype": "float32",
        "quantization": "none",
        "plan": False,
        "compile": False,
    }
    made = create_by_name("rt2", PolicyConfig(str(tmp_path), robot="fr3", options=options))
    assert isinstance(made, RT2Policy)
    assert made.checkpoint == str(tmp_path)
    made.reset(INSTRUCTION)
    assert made.infer(observe()).tokens is not None


def test_int8_weights_act(plain: RT2Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, plain.backend.model, plain.backend.processor, plain.info)
    made = create(PolicyConfig(str(tmp_path), options={"quantization": "int8", "mass": "all"}))
    made.reset(INSTRUCTION)
    chunk = made.infer(observe())
    assert chunk.tokens is not None
    assert chunk.legal_mass is not None
    assert (chunk.tokens[0] < np.array(RT2_TABLETOP.sizes)).all()
    full = RT2Policy(plain, Options(mass="all"))
    full.reset(INSTRUCTION)
    np.testing.assert_allclose(chunk.legal_mass[0, 0], full.infer(observe()).legal_mass[0, 0], rtol=0.1)


def test_what_cannot_be_made(plain: RT2Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no RT-2 checkpoint 'nothing'"):
        create(PolicyConfig("nothing"))
    save_checkpoint(tmp_path, plain.backend.model, plain.backend.processor, plain.info)
    with pytest.raises(CheckpointError, match="'fr3', not for 'wx250s'"):
        create(PolicyConfig(str(tmp_path), robot="wx250s"))
    with pytest.raises(ConfigurationError, match="compile needs an NVIDIA GPU"):
        create(PolicyConfig(str(tmp_path), options={"compile": True}))
    with pytest.raises(ConfigurationError, match="device is 'tpu'"):
        create(PolicyConfig(str(tmp_path), device="tpu"))


@pytest.mark.parametrize(
    "options",
    [
        {"decode": 1.0},
        {"temperature": "hot"},
        {"temperature": float("nan")},
        {"min_legal_mass": 1.5},
        {"min_legal_mass": 0.5, "mass": "none"},
    ],
)
def test_options_that_are_not_valid(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="valid"):
        options_from(options)


@pytest.mark.parametrize("options", [Options(decode="best"), Options(mass="some"), Options(temperature=0.0)])
def test_options_that_the_decoder_refuses(plain: RT2Checkpoint, options: Options) -> None:
    with pytest.raises(ConfigurationError, match="valid are"):
        RT2Policy(plain, options)
