# SPDX-License-Identifier: Apache-2.0
"""A chunk is released when all its states are said to be valid in time, and never twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_controller.bench.rig import Bench
from vla_controller.intake.latency import Timing
from vla_controller.intake.release_guard import MOST_STATES, ReleaseGuard, chunk_states
from vla_controller.intake.targets import AcceptedChunk, Schedule
from vla_controller.refusals import Refusal
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference

STATES = [np.zeros(7)] * 3


class Desk:
    """Counts what a guard does."""

    def __init__(self) -> None:
        self.released: list[AcceptedChunk] = []
        self.refused: list[Refusal] = []
        self.tickets: list[int] = []
        self.guard = ReleaseGuard(0.1, self.released.append, self.refused.append)

    def ask(self, ticket: int, states: Sequence[np.ndarray]) -> None:
        self.tickets.append(ticket)

    def hold(self, chunk: AcceptedChunk, now: float = 0.0, states: Sequence[np.ndarray] = STATES) -> None:
        self.guard.hold(chunk, states, now, self.ask)


def chunk(sequence: int = 1) -> AcceptedChunk:
    wanted = ActionChunk(
        0.0, ActionMode.EE_DELTA, DeltaReference.OBSERVED, 0.2, (), instruction_id="a", sequence=sequence
    )
    return AcceptedChunk(wanted, Schedule((0,), (0.3,), 0, Timing(0.3, 0.2), 0.0), np.zeros(7), (), ())


def test_all_valid_releases_once() -> None:
    desk = Desk()
    desk.hold(chunk())
    for _ in range(4):
        assert len(desk.released) <= 1
        desk.guard.answer(desk.tickets[-1], True, "")
    desk.guard.check(1.0)
    assert len(desk.released) == 1
    assert desk.refused == []


def test_one_invalid_refuses_with_the_account() -> None:
    desk = Desk()
    desk.hold(chunk())
    desk.guard.answer(desk.tickets[-1], True, "")
    desk.guard.answer(desk.tickets[-1], False, "contact of hand and table")
    desk.guard.answer(desk.tickets[-1], True, "")
    assert desk.released == []
    assert desk.refused == [Refusal("in_collision", "contact of hand and table")]


def test_silence_refuses_and_a_late_answer_counts_for_nothing() -> None:
    desk = Desk()
    desk.hold(chunk())
    desk.guard.check(0.09)
    assert desk.refused == []
    desk.guard.check(0.11)
    assert [refusal.name for refusal in desk.refused] == ["validity_timeout"]
    for _ in STATES:
        desk.guard.answer(desk.tickets[-1], True, "")
    assert desk.released == []


def test_a_newer_chunk_takes_the_place() -> None:
    desk = Desk()
    desk.hold(chunk(1))
    desk.hold(chunk(2))
    for ticket in (desk.tickets[0],) * 3 + (desk.tickets[1],) * 3:
        desk.guard.answer(ticket, True, "")
    assert [held.chunk.sequence for held in desk.released] == [2]
    assert [refusal.name for refusal in desk.refused] == ["validity_superseded"]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40))
def test_whatever_comes_each_chunk_has_one_end(events: list[tuple[int, bool]]) -> None:
    desk, now, sent = Desk(), 0.0, 0
    for kind, valid in events:
        now += 0.03
        if kind == 0:
            sent += 1
            desk.hold(chunk(sent), now)
        elif kind == 1:
            desk.guard.check(now)
        elif desk.tickets:
            desk.guard.answer(desk.tickets[-1] - (kind == 3), valid, "x")
    desk.guard.check(now + 1.0)
    assert len(desk.released) + len(desk.refused) == sent


@pytest.mark.parametrize("mode", [ActionMode.EE_DELTA, ActionMode.JOINT_DELTA])
def test_the_states_asked_for_are_where_the_chunk_leads(fr3: Bench, mode: ActionMode) -> None:
    steps = [ActionStep(translation=np.array([0.0, 0.01, 0.0]), joints=np.full(7, 0.01))] * 12
    accepted = fr3.controller.judge(fr3.chunk(*steps, mode=mode), fr3.now)
    assert isinstance(accepted, AcceptedChunk)
    kinematics = fr3.controller.kinematics
    states = chunk_states(accepted, kinematics)
    assert len(states) == MOST_STATES
    if mode == ActionMode.JOINT_DELTA:
        assert np.allclose(states[-1], fr3.q + 0.12)
    else:
        moved = kinematics.fk(states[-1]).position - fr3.pose.position
        assert np.allclose(moved, [0.0, 0.12, 0.0], atol=2e-3)


def test_an_accepted_chunk_is_followed_as_it_was_judged(fr3: Bench) -> None:
    """What MoveIt answered for is what the arm does, also when the answer took a while."""
    accepted = fr3.controller.judge(fr3.chunk(ActionStep(translation=np.array([0.0, 0.05, 0.0]))), fr3.now)
    assert isinstance(accepted, AcceptedChunk)
    fr3.tick(2)
    assert fr3.controller.follow(accepted, fr3.now) is None
    fr3.tick(30)
    assert np.allclose(fr3.pose.position, accepted.poses[-1].position, atol=1e-3)


@pytest.mark.parametrize(
    ("meanwhile", "name"),
    [
        (lambda c: c.estop(), "estopped"),
        (lambda c: c.set_instruction("s", stop=True), "stopped"),
        (lambda c: c.set_instruction("b"), "wrong_instruction"),
    ],
)
def test_a_chunk_that_waited_while_the_arm_was_halted_is_judged_anew(fr3: Bench, meanwhile, name: str) -> None:
    accepted = fr3.controller.judge(fr3.chunk(ActionStep(translation=np.array([0.0, 0.05, 0.0]))), fr3.now)
    assert isinstance(accepted, AcceptedChunk)
    meanwhile(fr3.controller)
    refusal = fr3.controller.follow(accepted, fr3.now)
    assert refusal is not None
    assert refusal.name == name
    held = fr3.q.copy()
    fr3.tick(10)
    assert np.array_equal(fr3.q, held)
