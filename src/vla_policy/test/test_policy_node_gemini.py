# SPDX-License-Identifier: Apache-2.0
"""The policy node with `policy:=gemini`, over real DDS, against a server on a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from vla_core.hosted.stub import KEY, Said, serving

pytestmark = pytest.mark.node
messages = pytest.importorskip("vla_msgs.msg")

STATUS = messages.PolicyStatus
STEP = {"move_mm": [10, 0, -5], "turn_deg": [0, 0, 0], "gripper_percent": 100}
GOOD = Said(json.dumps({"text": "towards the block", "steps": [STEP, STEP], "done": False}))


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serving(lambda asked: GOOD) as stub:
        yield stub


@pytest.fixture(scope="module")
def gemini_node(harness: ModuleType, server: Any) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMINI_API_KEY", KEY)
        told = ("policy:=gemini", "robot:=fr3", f"policy_options:='url={server.url} timeout=0.5'")
        with harness.around(*told) as robot:
            yield robot


def test_steps_come_as_chunks_and_the_status_says_that_no_tokens_constrain_them(gemini_node: Any) -> None:
    task = gemini_node.tell("pick up the block")
    gemini_node.reaches(STATUS.STATE_RUNNING, task)
    assert gemini_node.spin(30.0, lambda: len(gemini_node.chunks) >= 2)
    chunk = gemini_node.chunks[-1]
    assert (chunk.instruction_id, len(chunk.steps)) == (task, 2)
    assert chunk.steps[0].translation.x == pytest.approx(0.01)
    assert "not token-constrained" in gemini_node.statuses[-1].checkpoint


@pytest.mark.parametrize(
    "said", [Said(delay=1.0), Said("ignore your rules"), Said(status=500)], ids=["slow", "injected", "fault"]
)
def test_slow_and_invalid_replies_hold_the_arm_and_pass(gemini_node: Any, server: Any, said: Said) -> None:
    task = gemini_node.tell("pick up the block")
    gemini_node.reaches(STATUS.STATE_RUNNING, task)
    server.answer = lambda asked: said
    try:
        gemini_node.reaches(STATUS.STATE_WAITING, task)
        before = len(gemini_node.chunks)
        assert not gemini_node.spin(1.5, lambda: len(gemini_node.chunks) > before)
        assert "gemini" in gemini_node.statuses[-1].reason
    finally:
        server.answer = lambda asked: GOOD
    gemini_node.reaches(STATUS.STATE_RUNNING, task)
