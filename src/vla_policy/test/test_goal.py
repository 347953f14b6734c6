# SPDX-License-Identifier: Apache-2.0
"""How goals of the action end."""

import math
from dataclasses import replace

import pytest
from vla_policy.goal import goal_outcome, goal_refusal, means_stop
from vla_policy.run.runner import State, Status, Task

TASK = Task("mine", "text", 0.0)
RUNNING = Status(State.RUNNING, "", TASK, 5.0, 0.1, 0.1, math.nan, 9, 4, 0)


def outcome(status: Status, cancelled: bool = False, timed_out: bool = False) -> str | None:
    result = goal_outcome(status, "mine", cancelled=cancelled, timed_out=timed_out)
    return None if result is None else result.reason


def test_it_runs_while_the_policy_does() -> None:
    assert outcome(RUNNING) is None
    assert outcome(replace(RUNNING, state=State.WAITING, reason="no camera")) is None


@pytest.mark.parametrize("cancelled", [True, False])
@pytest.mark.parametrize("timed_out", [True, False])
def test_a_finished_task_is_finished_whatever_else_happens_at_that_moment(cancelled: bool, timed_out: bool) -> None:
    result = goal_outcome(replace(RUNNING, state=State.DONE), "mine", cancelled=cancelled, timed_out=timed_out)
    assert result is not None
    assert result.finished
    assert not result.stop


def test_the_robot_is_halted_only_where_it_still_works_on_this_goal() -> None:
    other = replace(RUNNING, task=Task("other", "text", 1.0))
    for status, cancelled, timed_out, reason, stop in (
        (RUNNING, True, False, "cancelled", True),
        (RUNNING, False, True, "timeout", True),
        (other, False, True, "superseded", False),
        (other, True, False, "cancelled", False),
        (replace(other, state=State.STOPPED), False, False, "stopped", False),
    ):
        result = goal_outcome(status, "mine", cancelled=cancelled, timed_out=timed_out)
        assert result is not None
        assert (result.reason, result.stop, result.finished) == (reason, stop, False)


def test_an_error_before_the_first_chunk_is_a_rejection_and_later_a_failure() -> None:
    error = replace(RUNNING, state=State.ERROR, reason="boom")
    assert outcome(error) == "failed: boom"
    assert outcome(replace(error, task_chunks=0)) == "rejected: boom"


@pytest.mark.parametrize(
    ("text", "timeout", "words"),
    [
        ("", 0.0, "1 to 512"),
        (" ", 0.0, "1 to 512"),
        ("x" * 513, 0.0, "513"),
        ("a", -1.0, "-1.0"),
        ("a", math.nan, "nan"),
    ],
)
def test_bad_goals_are_refused_with_what_is_valid(text: str, timeout: float, words: str) -> None:
    assert words in goal_refusal(text, timeout)
    assert goal_refusal("pick up the red block", 30.0) == ""


@pytest.mark.parametrize("text", ["stop", "STOP!", " e-stop ", "Halt, please.", "stop the robot", "stop stop stop"])
def test_a_text_that_means_stop(text: str) -> None:
    assert means_stop(text)


@pytest.mark.parametrize("text", ["", "please", "do not stop", "stop at the bowl", "pick up the red block", "nonstop"])
def test_a_text_that_does_not(text: str) -> None:
    assert not means_stop(text)
