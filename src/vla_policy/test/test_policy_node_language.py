# SPDX-License-Identifier: Apache-2.0
"""Plans, refused actions and the settings of language models, through the policy node over real DDS."""

import json
from typing import Any

import pytest

pytestmark = pytest.mark.node
messages = pytest.importorskip("vla_msgs.msg")

STATUS = messages.PolicyStatus


def test_a_plan_is_told_when_it_changes_and_belongs_to_its_instruction(talking: Any) -> None:
    first = talking.tell("plan")
    assert talking.spin(30.0, lambda: len(talking.chunks) >= 9)
    plans = list(talking.plans)
    assert 4 <= len(plans) <= 6  # of nine chunks: 3 + 1, twice, and the next
    assert [plan.text for plan in plans[:4]] == ["go to the block", "close the gripper"] * 2
    assert {plan.instruction_id for plan in plans} == {first}
    stamps = [(chunk.header.stamp.sec, chunk.header.stamp.nanosec) for chunk in talking.chunks]
    assert (plans[0].header.stamp.sec, plans[0].header.stamp.nanosec) == stamps[0]
    second = talking.tell("plan")  # the same words for another instruction are told again
    assert talking.spin(30.0, lambda: talking.plans[-1].instruction_id == second)


def test_a_policy_without_a_plan_tells_none_and_its_certainty_is_reported(talking: Any) -> None:
    talking.reaches(STATUS.STATE_RUNNING, talking.tell("act"))
    assert talking.spin(30.0, lambda: bool(talking.diagnostics) and len(talking.chunks) >= 3)
    assert not talking.plans
    status = talking.statuses[-1]
    assert status.legal_mass == pytest.approx(0.75)
    assert status.token_confidence == pytest.approx(0.6)
    assert talking.spin(30.0, lambda: values(talking)["legal_mass"] == "0.750")


def values(robot: Any) -> dict[str, str]:
    return {item.key: item.value for item in robot.diagnostics[-1].status[0].values}


def test_a_refused_action_is_not_sent_and_said_until_the_policy_acts_again(talking: Any) -> None:
    before = talking.statuses[-1].actions_refused
    resets = int(talking.ask("how many resets?").answer)
    task = talking.tell("refuse")
    status = talking.reaches(STATUS.STATE_WAITING, task)
    assert talking.spin(30.0, lambda: talking.statuses[-1].actions_refused >= before + 4)
    status = talking.statuses[-1]
    assert (status.state, status.instruction_id) == (STATUS.STATE_WAITING, task)
    assert status.reason == "action refused: legal mass is 0.02; valid is at least 0.5"
    assert not talking.chunks
    assert talking.spin(30.0, lambda: bool(talking.diagnostics) and int(values(talking)["actions_refused"]) > before)
    assert talking.diagnostics[-1].status[0].level == b"\x01"
    assert int(talking.ask("how many resets?").answer) == resets + 1  # history is kept over refusals
    refused = talking.statuses[-1].actions_refused
    task = talking.tell("refuse three")
    status = talking.reaches(STATUS.STATE_RUNNING, task)
    assert status.reason == ""
    assert status.actions_refused == pytest.approx(refused + 3, abs=1)
    assert talking.spin(30.0, lambda: len(talking.chunks) >= 2)


def test_every_setting_of_a_language_model_reaches_its_factory(talking: Any) -> None:
    config = json.loads(talking.ask("which settings?").answer)
    assert config["options"] == {
        "decode": "beam",
        "temperature": 0.5,
        "beams": 3,
        "dtype": "bfloat16",
        "quantization": "int8",
        "plan": True,
        "min_legal_mass": 0.25,
        "compile": True,
        "engine": "eager",
    }
    assert config["limits"] == {
        "workspace_low": [0.3, -0.4, 0.0],
        "workspace_high": [0.7, 0.4, 0.6],
        "linear_speed": 0.5,
        "angular_speed": float("inf"),
    }
