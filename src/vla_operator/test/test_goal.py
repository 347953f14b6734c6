# SPDX-License-Identifier: Apache-2.0
"""How goals of the action end."""

from dataclasses import replace
from itertools import product

import pytest
from vla_operator.goal import Code, Given, Moment, Outcome, PolicyReport, PolicyState, goal_outcome

MINE = Given("mine", 10, stop=False)
RUNNING = PolicyReport("mine", 10, PolicyState.RUNNING, "", 4)
QUIET = Moment(cancelled=False, timed_out=False, silence=0.5)


def outcome(report: PolicyReport | None = RUNNING, latest: Given = MINE, **moment: object) -> Outcome | None:
    return goal_outcome(MINE, latest, report, replace(QUIET, **moment), policy_timeout=5.0)


def test_it_runs_while_the_policy_does() -> None:
    for state in (PolicyState.RUNNING, PolicyState.WAITING, PolicyState.IDLE):
        assert outcome(replace(RUNNING, state=state, reason="no camera")) is None
    assert outcome(None) is None
    assert outcome(replace(RUNNING, instruction_id="before", sequence=9, state=PolicyState.DONE)) is None


@pytest.mark.parametrize(("cancelled", "timed_out", "silence"), [*product([True, False], [True, False], [0.0, 9.0])])
def test_a_finished_task_is_finished_whatever_else_happens_at_that_moment(
    cancelled: bool, timed_out: bool, silence: float
) -> None:
    done = replace(RUNNING, state=PolicyState.DONE)
    result = outcome(done, cancelled=cancelled, timed_out=timed_out, silence=silence)
    assert result is not None
    assert (result.code, result.stop) == (Code.FINISHED, False)


@pytest.mark.parametrize(
    ("latest", "moment", "code", "stop"),
    [
        (MINE, {"cancelled": True}, Code.CANCELLED, True),
        (MINE, {"timed_out": True}, Code.TIMEOUT, True),
        (MINE, {"cancelled": True, "timed_out": True}, Code.CANCELLED, True),
        (MINE, {"silence": 5.1}, Code.NO_POLICY, True),
        (Given("other", 11, stop=False), {"timed_out": True}, Code.SUPERSEDED, False),
        (Given("other", 11, stop=False), {"cancelled": True}, Code.CANCELLED, False),
        (Given("other", 11, stop=True), {}, Code.STOPPED, False),
    ],
)
def test_the_robot_is_halted_only_where_it_still_works_on_this_goal(
    latest: Given, moment: dict[str, object], code: Code, stop: bool
) -> None:
    result = outcome(latest=latest, **moment)
    assert result is not None
    assert (result.code, result.stop) == (code, stop)
    assert result.text


def test_a_newer_instruction_that_the_policy_has_from_elsewhere_supersedes() -> None:
    result = outcome(replace(RUNNING, instruction_id="rogue", sequence=11))
    assert result is not None
    assert result.code is Code.SUPERSEDED


def test_an_error_before_the_first_chunk_is_a_rejection_and_later_a_failure() -> None:
    error = replace(RUNNING, state=PolicyState.ERROR, reason="boom")
    for chunks, code in ((0, Code.REJECTED), (1, Code.FAILED)):
        assert outcome(replace(error, chunks=chunks)) == Outcome(code, "boom")


def test_the_silence_is_told_apart() -> None:
    took = outcome(silence=6.0)
    never = outcome(None, silence=6.0)
    assert took is not None
    assert "fell silent for 6.0 s" in took.text
    assert never is not None
    assert "has not taken the instruction" in never.text


def test_codes_and_states_are_those_of_the_interfaces() -> None:
    messages = pytest.importorskip("vla_msgs.msg")
    actions = pytest.importorskip("vla_msgs.action")
    for code in Code:
        assert getattr(actions.ExecuteInstruction.Result, code.name) == code
    for state in PolicyState:
        assert getattr(messages.PolicyStatus, f"STATE_{state.name}") == state
