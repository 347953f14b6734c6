# SPDX-License-Identifier: Apache-2.0
"""`policy:=gemini` against a server on a real socket: what is sent, what is taken, and that faults hold the arm."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_core.action import ActionMode, DeltaReference
from vla_core.hosted.gemini import GeminiModel, GeminiOptions
from vla_core.hosted.stub import KEY, Asked, Said, serving
from vla_policy.errors import ConfigurationError, InstructionError, ReplyError, ServerRefusedError, UnavailableError
from vla_policy.gemini import GeminiPolicy, StepRanges, read_reply
from vla_policy.policy import PolicyConfig, blank_observation
from vla_policy.registry import create

SEEN = replace(blank_observation(12, 16), stamp=7.0, ee_position=np.array([0.5, 0.1, 0.3]), gripper_width=0.04)
STEP = {"move_mm": [10, -20, 0], "turn_deg": [0, 0, 15], "gripper_percent": 100}
RANGES = StepRanges()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)


def reply(*steps: dict[str, Any], done: bool = False) -> dict[str, Any]:
    return {"text": "towards the block", "steps": list(steps), "done": done}


def says(*values: object) -> Callable[[Asked], Said]:
    """Each in turn, the last one from then on."""
    return lambda asked: Said(json.dumps(values[min(asked.number, len(values) - 1)]))


def policy(url: str, **options: str) -> GeminiPolicy:
    made = create("gemini", PolicyConfig(own_options={"url": url, **options}))
    assert isinstance(made, GeminiPolicy)
    made.reset("pick up the red block")
    return made


def test_steps_become_a_chunk_from_the_observed_pose():
    with serving(says(reply(STEP, STEP))) as stub:
        chunk = policy(stub.url).infer(SEEN)
    assert (chunk.stamp, chunk.mode, chunk.delta_reference) == (7.0, ActionMode.EE_DELTA, DeltaReference.OBSERVED)
    assert len(chunk.steps) == 2
    assert chunk.steps[0].translation == pytest.approx([0.01, -0.02, 0.0])
    assert chunk.steps[0].rotation_vector == pytest.approx([0.0, 0.0, math.radians(15)])
    assert chunk.steps[0].gripper == 1.0
    assert chunk.plan == "towards the block"
    assert chunk.tokens is None
    assert not chunk.terminate


def test_instruction_state_and_picture_are_sent():
    with serving(says(reply(STEP))) as stub:
        policy(stub.url).infer(SEEN)
    (asked,) = stub.asked
    assert '"pick up the red block"' in asked.prompt
    assert "x 500, y 100, z 300 mm" in asked.prompt
    assert "40 mm apart" in asked.prompt
    assert "inlineData" in asked.body["contents"][0]["parts"][0]
    assert asked.schema["properties"]["steps"]["items"]["properties"]["move_mm"]["items"]["maximum"] == RANGES.move


@pytest.mark.parametrize("steps", [(), (STEP,)])
def test_done_ends_with_a_step_that_terminates(steps: tuple[dict[str, Any], ...]):
    with serving(says(reply(*steps, done=True))) as stub:
        assert policy(stub.url).infer(SEEN).steps[-1].terminate


def test_the_status_says_that_nothing_constrains_the_tokens_and_how_slow_it_is():
    with serving(says(reply(STEP))) as stub:
        made = policy(stub.url, input_price="1")
        assert made.checkpoint.startswith("gemini-robotics-er-2-preview (remote, not token-constrained")
        made.infer(SEEN)
        assert "s a reply" in made.checkpoint
        assert "USD" in made.checkpoint


def test_an_invalid_reply_holds_the_arm_and_the_next_request_says_why():
    now = [0.0]
    far = reply(STEP | {"move_mm": [0, 0, -400]})
    with serving(says(far, reply(STEP))) as stub:
        made = GeminiPolicy(GeminiModel(GeminiOptions(url=stub.url)), RANGES, 0.2, clock=lambda: now[0])
        with pytest.raises(ReplyError, match="valid: three numbers from -40 to 40"):
            made.infer(SEEN)
        with pytest.raises(UnavailableError, match=r"next request in 0\.5 s"):
            made.infer(SEEN)
        now[0] = 1.0
        assert made.infer(SEEN).steps
    assert "three numbers from -40 to 40" in stub.asked[1].prompt


def test_a_slow_reply_is_given_up_and_a_rate_limit_is_kept():
    with serving(lambda asked: Said(delay=2.0)) as stub, pytest.raises(UnavailableError, match=r"within 0\.3 s"):
        policy(stub.url, timeout="0.3").infer(SEEN)
    with serving(lambda asked: Said(status=429, retry_after="30")) as stub:
        made = policy(stub.url)
        with pytest.raises(UnavailableError, match="HTTP 429"):
            made.infer(SEEN)
        with pytest.raises(UnavailableError, match=r"next request in (29|30)"):
            made.infer(SEEN)
    assert len(stub.asked) == 1


def test_a_wrong_key_and_a_model_that_is_gone_end_the_task(monkeypatch: pytest.MonkeyPatch):
    with serving(says(reply(STEP))) as stub:
        with pytest.raises(ServerRefusedError, match="no model"):
            policy(stub.url, model="gemini-robotics-er-1.5").infer(SEEN)
        monkeypatch.setenv("GEMINI_API_KEY", "another")
        with pytest.raises(ServerRefusedError, match="refuses the key"):
            policy(stub.url).infer(SEEN)


def test_without_a_key_and_with_options_that_are_not_valid(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigurationError, match="valid"):
        policy("http://localhost", thinking="deep")
    with pytest.raises(ConfigurationError, match="no option 'colour'"):
        policy("http://localhost", colour="red")
    with pytest.raises(InstructionError, match="valid: up to"):
        policy("http://localhost").reset("x" * 10_000)
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="GEMINI_API_KEY"):
        policy("http://localhost")


NUMBER = st.integers(-60, 60) | st.floats() | st.booleans() | st.none()
STEPS = st.fixed_dictionaries(
    {
        "move_mm": st.lists(NUMBER, min_size=2, max_size=4),
        "turn_deg": st.lists(st.integers(-20, 20), min_size=3, max_size=3),
        "gripper_percent": st.integers(-10, 110) | NUMBER,
    },
    optional={"run": st.text(max_size=5)},
)


@settings(max_examples=150, deadline=None)
@given(
    st.fixed_dictionaries({"text": st.text(max_size=20), "steps": st.lists(STEPS, max_size=9), "done": st.booleans()})
)
def test_whatever_is_taken_is_within_the_ranges(value: dict[str, Any]):
    try:
        taken = read_reply(value, RANGES)
    except ReplyError:
        return
    assert len(taken.steps) <= RANGES.steps
    for step in taken.steps:
        assert step.is_finite()
        assert np.abs(step.translation).max() <= RANGES.move / 1000.0
        assert np.linalg.norm(step.rotation_vector) <= math.radians(RANGES.turn) * math.sqrt(3.0) + 1e-9
        assert 0.0 <= step.gripper <= 1.0
