# SPDX-License-Identifier: Apache-2.0
"""The numbers of instructions increase strictly: over restarts, clock steps, lost and broken files."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_operator.sequence import InstructionSequence

NOW = 1_795_730_000_000_000_000  # [ns]


@settings(deadline=None)  # files are written, on a machine that may be busy
@given(
    times=st.lists(st.integers(-(10**18), 3 * 10**18), min_size=1, max_size=30), restarts=st.sets(st.integers(0, 29))
)
def test_strictly_increasing_over_restarts_and_any_clock(times: list[int], restarts: set[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state/sequence.json"
        sequence, last = InstructionSequence(path), 0
        for index, now in enumerate(times):
            if index in restarts:
                sequence = InstructionSequence(path)
            number = sequence.next(now)
            assert number > last
            assert 0 < number < 2**64
            last = number


def test_without_its_file_the_clock_orders_two_lives(tmp_path: Path) -> None:
    path = tmp_path / "sequence.json"
    first = InstructionSequence(path).next(NOW)
    path.unlink()
    assert InstructionSequence(path).next(NOW + 1000) > first


def test_without_its_file_and_with_a_clock_that_went_back_receivers_do(tmp_path: Path) -> None:
    sequence = InstructionSequence(tmp_path / "sequence.json")
    sequence.note_seen(NOW)
    assert sequence.latest == 0
    assert sequence.next(5) == NOW + 1
    sequence.note_seen(7)
    sequence.note_seen(2**64 - 1)  # no clock's nanoseconds
    assert sequence.next(6) == NOW + 2


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"sequence": "5"}', b'{"sequence": -1}', b'{"sequence": 1e300}', b"\xff"]
)
def test_a_broken_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sequence.json"
    path.write_bytes(content)
    sequence = InstructionSequence(path)
    assert sequence.next(NOW) == NOW
    assert InstructionSequence(path).next(1) == NOW + 1


def test_a_folder_that_cannot_be_written_is_a_problem_and_the_numbers_go_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sequence = InstructionSequence(tmp_path / "file/sequence.json")
    assert (sequence.next(NOW), sequence.next(NOW)) == (NOW, NOW + 1)
    assert "cannot be kept" in sequence.problem
