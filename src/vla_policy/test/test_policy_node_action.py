# SPDX-License-Identifier: Apache-2.0
"""The action of the policy node, over real DDS."""

from typing import Any

import pytest

pytestmark = pytest.mark.node
messages = pytest.importorskip("vla_msgs.msg")
GoalStatus = pytest.importorskip("action_msgs.msg").GoalStatus

STATUS = messages.PolicyStatus


def test_a_goal_follows_its_instruction_to_the_end(robot: Any) -> None:
    handle, future = robot.goal("short")
    assert handle.accepted
    result = robot.result(future)
    assert result.finished
    assert result.reason == "finished"
    assert 0.5 < result.seconds < 10.0  # five chunks at 5 Hz
    assert [instruction.text for instruction in robot.instructions] == ["short"]  # so that the controller learns its id
    assert {chunk.instruction_id for chunk in robot.chunks} == {robot.instructions[0].id}


def test_cancelling_a_goal_stops_the_robot(robot: Any) -> None:
    handle, future = robot.goal("long")
    robot.spin(0.5)
    handle.cancel_goal_async()
    assert robot.result(future).reason == "cancelled"
    robot.reaches(STATUS.STATE_STOPPED)
    assert robot.spin(5.0, lambda: robot.instructions[-1].kind == messages.Instruction.KIND_STOP)


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


@pytest.mark.parametrize("text", ["stop", " Please STOP, robot! "])
def test_a_goal_that_says_stop_stops_and_tells_the_controller(robot: Any, text: str) -> None:
    _, running = robot.goal("long")
    robot.reaches(STATUS.STATE_RUNNING)
    _, future = robot.goal(text)
    result = robot.result(future)
    assert result.reason.startswith("stopped: ")
    assert not result.finished
    assert future.result().status == GoalStatus.STATUS_SUCCEEDED
    assert robot.result(running).reason == "stopped"
    robot.reaches(STATUS.STATE_STOPPED)
    assert robot.spin(5.0, lambda: robot.instructions[-1].kind == messages.Instruction.KIND_STOP)
    robot.spin(0.2)
    robot.chunks.clear()
    robot.spin(0.7)
    assert not robot.chunks


def test_a_stop_ends_a_goal(robot: Any) -> None:
    _, future = robot.goal("long")
    robot.spin(0.3)
    robot.tell("stop", kind=messages.Instruction.KIND_STOP)
    assert robot.result(future).reason == "stopped"


@pytest.mark.parametrize(
    ("text", "timeout", "reason"),
    [
        ("", 0.0, "1 to 512"),
        ("y" * 10240, 0.0, "1 to 512"),
        ("long", -1.0, "timeout"),
        ("juggle", 0.0, "'long'"),
        ("a \ufffd", 0.0, "UTF-8"),
    ],
)
def test_a_bad_goal_is_rejected_with_a_reason(robot: Any, text: str, timeout: float, reason: str) -> None:
    _, future = robot.goal(text, timeout)
    result = robot.result(future)
    assert result.reason.startswith("rejected: ")
    assert reason in result.reason
