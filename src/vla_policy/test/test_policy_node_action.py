# SPDX-License-Identifier: Apache-2.0
"""The action of the policy node, over real DDS."""

from typing import Any

import pytest

pytestmark = pytest.mark.node
messages = pytest.importorskip("vla_msgs.msg")

STATUS = messages.PolicyStatus


def test_a_goal_follows_its_instruction_to_the_end(robot: Any) -> None:
    handle, future = robot.goal("short")
    assert handle.accepted
    result = robot.result(future)
    assert result.finished
    assert result.reason == "finished"
    assert result.seconds == pytest.approx(1.0, abs=0.8)
    assert [instruction.text for instruction in robot.instructions] == ["short"]  # so that the controller learns its id
    assert {chunk.instruction_id for chunk in robot.chunks} == {robot.instructions[0].id}


def test_cancelling_a_goal_stops_the_robot(robot: Any) -> None:
    handle, future = robot.goal("long")
    robot.spin(0.5)
    handle.cancel_goal_async()
    assert robot.result(future).reason == "cancelled"
    robot.reaches(STATUS.STATE_STOPPED)
    assert robot.instructions[-1].kind == messages.Instruction.KIND_STOP


def test_a_goal_ends_when_its_time_is_up(robot: Any) -> None:
    _, future = robot.goal("long", timeout=0.6)
    result = robot.result(future)
    assert result.reason == "timeout"
    assert not result.finished
    robot.reaches(STATUS.STATE_STOPPED)


def test_a_newer_goal_or_instruction_supersedes_a_goal(robot: Any) -> None:
    _, first = robot.goal("long")
    _, second = robot.goal("other")
    assert robot.result(first).reason == "superseded"
    robot.tell("long")
    assert robot.result(second).reason == "superseded"
    robot.reaches(STATUS.STATE_RUNNING)


def test_a_stop_ends_a_goal(robot: Any) -> None:
    _, future = robot.goal("long")
    robot.spin(0.3)
    robot.tell("stop", kind=messages.Instruction.KIND_STOP)
    assert robot.result(future).reason == "stopped"


@pytest.mark.parametrize(
    ("text", "timeout", "reason"),
    [("", 0.0, "1 to 512"), ("y" * 10240, 0.0, "1 to 512"), ("long", -1.0, "timeout"), ("juggle", 0.0, "'long'")],
)
def test_a_bad_goal_is_rejected_with_a_reason(robot: Any, text: str, timeout: float, reason: str) -> None:
    _, future = robot.goal(text, timeout)
    result = robot.result(future)
    assert result.reason.startswith("rejected: ")
    assert reason in result.reason
