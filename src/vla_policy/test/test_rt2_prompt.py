# SPDX-License-Identifier: Apache-2.0
"""Prompts: the published texts, the state in them, and what a template must not be."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_policy.errors import ConfigurationError, InstructionError, ObservationError
from vla_policy.rt2.prompt import PROMPTS, TABLETOP_STATE, PromptTemplate, StateFormat, prompt

STATE = np.array([0.55, 0.0, 0.35, 0.05])  # the middle of every range


def test_the_published_texts() -> None:
    rt2, openvla = prompt("rt2"), prompt("openvla")
    assert (
        rt2.action_prompt("pick up the red block")
        == "Q: what action should the robot take to pick up the red block? A:"
    )
    assert rt2.question_prompt("What is red?") == "Q: What is red? A:"
    assert openvla.action_prompt("Pick up the Red block.") == (
        "In: What action should the robot take to pick up the red block?\nOut:"
    )
    assert openvla.suffix == "▁"


def test_a_plan_goes_between() -> None:
    template = prompt("rt2_plan")
    question = "Q: what action should the robot take to tidy up?"
    assert template.plan_prompt("tidy up") == f"{question} Plan:"
    assert template.action_prompt("tidy up", plan="pick the cup") == f"{question} Plan: pick the cup A:"
    assert template.action_prompt("tidy up") == f"{question} A:"


def test_the_state_is_integers() -> None:
    text = prompt("rt2_state").action_prompt("push", STATE)
    assert text == "Q: what action should the robot take to push? state: 128 128 128 128 A:"


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4))
def test_state_levels_are_within_half_a_step(state: list[float]) -> None:
    levels = np.array(TABLETOP_STATE.text(state).split(), dtype=int)
    low, high = np.array(TABLETOP_STATE.low), np.array(TABLETOP_STATE.high)
    back = low + levels / 255 * (high - low)
    assert (np.abs(back - np.clip(state, low, high)) <= 0.5 / 255 * (high - low) * (1 + 1e-9)).all()


@pytest.mark.parametrize("template", PROMPTS.values(), ids=PROMPTS.keys())
def test_every_template_survives_json(template: PromptTemplate) -> None:
    assert PromptTemplate.from_dict(json.loads(json.dumps(template.to_dict()))) == template
    state = STATE if template.wants_state else None
    text = template.action_prompt("put {the} cup\n on  the plate!", state)
    assert "put {the} cup on the plate?" in text  # braces are words; spaces and closing punctuation are not


@pytest.mark.parametrize("text", ["", "  \n", "?!"])
def test_a_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(InstructionError, match="no words"):
        prompt("rt2").action_prompt(text)
    if not text.strip():
        with pytest.raises(InstructionError, match="the question holds no words"):
            prompt("rt2").question_prompt(text)


def test_a_missing_or_unusable_state_is_refused() -> None:
    template = prompt("rt2_state")
    with pytest.raises(ObservationError, match="ee_x, ee_y, ee_z, gripper_width; received none"):
        template.action_prompt("push")
    for state in ([0.5, 0.0, 0.1], [0.5, 0.0, 0.1, float("nan")]):
        with pytest.raises(ObservationError, match="valid are finite numbers for ee_x"):
            template.action_prompt("push", state)


def test_a_plan_is_refused_where_there_are_none() -> None:
    with pytest.raises(ConfigurationError, match="makes no plans"):
        prompt("rt2").plan_prompt("push")
    with pytest.raises(ConfigurationError, match="no place for a plan"):
        prompt("rt2").action_prompt("push", plan="go")


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "do it"},
        {"action": "{instruction} {colour}"},
        {"action": "{instruction} {0}"},
        {"action": "{instruction"},
        {"question": ""},
        {"plan": "{instruction} Plan:"},
        {"planned": "{instruction} {plan}"},
        {"plan": "{instruction}", "planned": "{instruction}"},
        {"action": "{instruction} {state}"},
        {"state": TABLETOP_STATE},
    ],
)
def test_half_a_template_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="prompt free"):
        PromptTemplate(**{"name": "free", "action": "{instruction}", "question": "{question}", **changes})


@pytest.mark.parametrize(
    ("names", "low", "high"),
    [
        ((), (), ()),
        (("mood",), (0,), (1,)),
        (("ee_x",), (0, 0), (1,)),
        (("ee_x",), (1,), (1,)),
        (("ee_x",), (0,), (np.inf,)),
    ],
)
def test_a_wrong_state_format_is_refused(
    names: tuple[str, ...], low: tuple[float, ...], high: tuple[float, ...]
) -> None:
    with pytest.raises(ConfigurationError, match="valid"):
        StateFormat(names, low, high)


@pytest.mark.parametrize(
    "changes",
    [
        {"lowercase": 1},
        {"action": None},
        {"more": 1},
        {"state": []},
        {"state": {"names": ["ee_x"], "low": [None], "high": [1]}},
    ],
)
def test_a_wrong_description_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="valid"):
        PromptTemplate.from_dict(prompt("rt2").to_dict() | changes)
    with pytest.raises(ConfigurationError, match="valid"):
        PromptTemplate.from_dict("rt2")


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ConfigurationError, match="'rt3' is unknown; valid are openvla, rt2, rt2_plan, rt2_state"):
        prompt("rt3")
