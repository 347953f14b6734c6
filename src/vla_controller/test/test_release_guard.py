# SPDX-License-Identifier: Apache-2.0
"""A chunk is released when all its states are said to be valid in time, and never twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_controller.bench.rig import Bench
from vla_controller.intake.release_guard import MOST_STATES, ReleaseGuard, chunk_states
from vla_controller.refusals import Refusal
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference

STATES = [np.zeros(7)] * 3


class Desk:
    """Counts what a guard does."""

    def __init__(self) -> None:
        self.released: list[ActionChunk] = []
        self.refused: list[Refusal] = []
        self.tickets: list[int] = []
        self.guard = ReleaseGuard(0.1, self.released.append, self.refused.append)

    def ask(self, ticket: int, states: Sequence[np.ndarray]) -> None:
        self.tickets.append(ticket)

    def hold(self, chunk: ActionChunk, now: float = 0.0, states: Sequence[np.ndarray] = STATES) -> None:
        self.guard.hold(chunk, states, now, self.ask)


def chunk(sequence: int = 1) -> ActionChunk:
    return ActionChunk(
        0.0, ActionMode.EE_DELTA, DeltaReference.OBSERVED, 0.2, (), instruction_id="a", sequence=sequence
    )


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
    assert [held.sequence for held in desk.released] == [2]
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
    wanted = fr3.chunk(*steps, mode=mode)
    config, kinematics = fr3.controller.config, fr3.controller.kinematics
    states = chunk_states(wanted, config, kinematics, fr3.q, fr3.now, 0.3)
    assert len(states) == MOST_STATES
    if mode == ActionMode.JOINT_DELTA:
        assert np.allclose(states[-1], fr3.q + 0.12)
    else:
        moved = kinematics.fk(states[-1]).position - fr3.pose.position
        assert np.allclose(moved, [0.0, 0.12, 0.0], atol=2e-3)


def test_a_chunk_that_is_over_has_no_states_and_is_released_to_be_refused_by_name(fr3: Bench) -> None:
    late = fr3.chunk(ActionStep(), stamp=fr3.now - 0.9)
    states = chunk_states(late, fr3.controller.config, fr3.controller.kinematics, fr3.q, fr3.now, 0.3)
    desk = Desk()
    desk.hold(late, states=states)
    assert states == []
    assert len(desk.released) == 1
