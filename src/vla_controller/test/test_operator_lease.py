# SPDX-License-Identifier: Apache-2.0
"""The lease of the intake, the order of instructions and the latch of the emergency stop, without ROS."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_controller.health.estop_latch import EstopLatch
from vla_controller.health.operator_lease import LOST_AFTER, OperatorLease
from vla_controller.intake.instruction_order import InstructionOrder
from vla_controller.refusals import Refusal

TICK = 0.05


def name(refusal: Refusal | None) -> str:
    return "" if refusal is None else refusal.name


def test_the_lease_begins_with_the_first_sign_of_life_and_ends_with_the_last() -> None:
    lease = OperatorLease(1.0)
    assert name(lease.gone(0.0)) == "operator_gone"
    assert not lease.begun
    for tick in range(200):  # 10 s
        now = tick * TICK
        if tick % 4 == 0 and now < 5.0:
            lease.renew(now)
        gone = name(lease.gone(now))
        assert gone == ("operator_gone" if now - 4.8 > 1.0 + 1e-9 else ""), now
    lease.renew(10.0)
    assert lease.gone(10.0) is None


def test_without_a_timeout_nobody_is_needed() -> None:
    lease = OperatorLease(0.0)
    assert lease.gone(0.0) is None
    lease.announce(5, 0, 0.0)
    lease.announce(6, 0, 0.2)
    assert lease.lost(0, 1000.0) is None
    assert lease.gone(1000.0) is None


def test_a_pause_of_this_process_is_not_a_silence_of_the_intake() -> None:
    lease = OperatorLease(1.0)
    lease.renew(0.0)
    assert lease.gone(0.05) is None
    assert lease.gone(20.0) is None  # held up: heartbeats wait to be read
    assert name(lease.gone(20.5)) == ""
    for tick in range(30):
        last = lease.gone(20.5 + tick * TICK)
    assert name(last) == "operator_gone"


def test_an_announced_instruction_that_does_not_come_stops_the_arm_once() -> None:
    lease = OperatorLease(1.0)
    lease.announce(7, 0, 0.0)  # given before this node listened
    assert lease.lost(0, 5.0) is None
    lease.announce(8, 0, 5.0)
    lease.announce(8, 0, 5.2)
    assert lease.lost(0, 5.0 + 0.9 * LOST_AFTER) is None
    assert name(lease.lost(0, 5.1 + LOST_AFTER)) == "instruction_lost"
    assert lease.lost(0, 9.0) is None
    lease.announce(9, 8, 9.0)
    assert lease.lost(9, 9.1 + LOST_AFTER) is None  # it came
    lease.announce(0, 9, 20.0)  # the intake restarted
    assert lease.lost(9, 30.0) is None


@given(st.lists(st.integers(0, 2**63 - 1), max_size=50))
def test_what_is_taken_increases_strictly(sequences: list[int]) -> None:
    order = InstructionOrder()
    taken = [sequence for sequence in sequences if order.take(sequence) is None]
    assert all(a < b for a, b in pairwise(taken))
    assert 0 not in taken
    assert order.latest == max([0, *sequences])


def test_an_instruction_that_is_not_newer_is_refused_with_both_numbers() -> None:
    order = InstructionOrder()
    assert order.take(10) is None
    for sequence in (10, 9, 0):
        refusal = order.take(sequence)
        assert refusal is not None
        assert refusal.name == "instruction_not_newer"
        assert f"its sequence is {sequence}; valid is more than 10" in refusal.reason


def test_the_latch_outlives_its_object_until_it_is_cleared(tmp_path: Path) -> None:
    path = tmp_path / "state/estop.json"
    assert EstopLatch(path).since() == ""
    assert EstopLatch(path).set() == ""
    assert EstopLatch(path).since().startswith("20")
    assert EstopLatch(path).clear() == ""
    assert EstopLatch(path).since() == ""
    assert EstopLatch(path).clear() == ""


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"since": ""}', b"{}"])
def test_a_broken_latch_is_latched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "estop.json"
    path.write_bytes(content)
    assert EstopLatch(path).since()
    assert EstopLatch(path).clear() == ""
    assert EstopLatch(path).since() == ""


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "will not outlive this process" in EstopLatch(tmp_path / "file/estop.json").set()
    folder = tmp_path / "folder.json"
    folder.mkdir()
    if os.getuid() != 0 or folder.is_dir():
        assert "latched again" in EstopLatch(folder).clear()
        assert EstopLatch(folder).since()


def test_a_number_that_is_none_does_not_outrank_the_instructions_to_come() -> None:
    order = InstructionOrder()
    refusal = order.take(2**64 - 1)
    assert refusal is not None
    assert refusal.name == "instruction_not_newer"
    assert order.take(1_800_000_000_000_000_000) is None
