# SPDX-License-Identifier: Apache-2.0
"""The real RT-2 in the policy node, over real DDS: a model with random weights still says nothing illegal."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from vla_policy.action.presets import RT2_TABLETOP
from vla_policy.rt2.model.checkpoint import RT2Info, save_checkpoint
from vla_policy.rt2.prompt import prompt
from vla_policy.rt2.vocabulary import Strategy, build_vocabulary

pytestmark = pytest.mark.node
messages = pytest.importorskip("vla_msgs.msg")

STATUS = messages.PolicyStatus
BOX_M = 0.01  # the tool of the Robot around the node stands at (0.5, 0, 0)
BOX = (f"workspace_low:=[{0.5 - BOX_M}, -{BOX_M}, -{BOX_M}]", f"workspace_high:=[{0.5 + BOX_M}, {BOX_M}, {BOX_M}]")


@pytest.fixture(scope="module")
def weights(rt2_models: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny random model with an action vocabulary."""
    folder: Path = tmp_path_factory.mktemp("weights")
    model, processor = rt2_models.make("fast_vlm")
    vocabulary = build_vocabulary(Strategy.INTEGERS, processor.tokenizer)
    save_checkpoint(folder, model, processor, RT2Info(RT2_TABLETOP, vocabulary, prompt("rt2"), "fr3", {}))
    return str(folder)


def rt2(weights: str, *parameters: str) -> tuple[str, ...]:
    return ("policy:=rt2", f"checkpoint:={weights}", "robot:=fr3", "device:=cpu", "threads:=1", *BOX, *parameters)


def test_it_acts_inside_the_box_and_answers(harness: ModuleType, weights: str) -> None:
    unending = "terminate_chunks:=100"  # half of what a random model samples is "terminate"
    with harness.around(*rt2(weights, "decode:=sample", unending)) as robot:
        task = robot.tell("pick up the red block")
        assert robot.spin(60.0, lambda: len(robot.chunks) >= 10), robot.statuses[-1]
        assert_inside_the_box(robot, task)
        status = robot.statuses[-1]
        assert (status.policy, status.checkpoint, status.state) == ("rt2", weights, STATUS.STATE_RUNNING)
        assert 0.0 < status.legal_mass < 1.0
        reply = robot.ask("what is on the table?")
        assert reply.success == bool(reply.answer) == (not reply.message)  # a random model may have nothing to say


def assert_inside_the_box(robot: Any, task: str) -> None:
    for chunk in robot.chunks:
        assert chunk.instruction_id == task
        assert tuple(chunk.dimension_names) == RT2_TABLETOP.names
        assert (np.array(chunk.tokens) < RT2_TABLETOP.sizes).all()
        moved = chunk.steps[0].translation
        assert max(abs(moved.x), abs(moved.y), abs(moved.z)) <= BOX_M + 1e-6


def test_a_model_that_would_rather_say_something_else_does_not_move_the_arm(harness: ModuleType, weights: str) -> None:
    with harness.around(*rt2(weights, "min_legal_mass:=0.999")) as robot:
        robot.tell("pick up the red block")
        assert robot.spin(60.0, lambda: robot.statuses[-1].actions_refused >= 3), robot.statuses[-1]
        assert robot.statuses[-1].state == STATUS.STATE_WAITING
        assert "min_legal_mass" in robot.statuses[-1].reason
        assert not robot.chunks
