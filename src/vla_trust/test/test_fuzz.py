# SPDX-License-Identifier: Apache-2.0
"""Every reader takes malformed input or refuses it by its own error; the fuzzer finds readers that do not."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_trust.fuzz.command import all_targets, main
from vla_trust.fuzz.mutate import Mutator, copied
from vla_trust.fuzz.run import MAX_FOUND, fuzz, one_case
from vla_trust.fuzz.target import PromiseError, Target

TARGETS = {target.name: target for target in all_targets()}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("name", TARGETS)
def test_reader_accepts_or_refuses_by_name(name: str) -> None:
    count = fuzz([TARGETS[name]], 30.0, seed=11, cases=60).counts[name]
    assert count.cases == 60
    assert not count.failures, [(each.case, each.error, each.trace) for each in count.failures.values()]
    assert count.accepted >= 1, "the examples themselves are refused"


@settings(max_examples=200, deadline=None)
@given(PLAIN, st.integers(0, 2**32))
def test_mutations_leave_the_example_as_it_is_and_repeat(value, seed) -> None:
    before = repr(value)
    first, second = (Mutator(random.Random(seed)).data(value) for _ in range(2))
    assert repr(value) == before
    assert repr(first) == repr(second)
    assert repr(copied(value)) == repr(copied(copied(value)))


@given(st.binary(max_size=64), st.text(max_size=32), st.integers(0, 2**32))
def test_mutations_keep_the_type(data, text, seed) -> None:
    mutator = Mutator(random.Random(seed))
    assert isinstance(mutator.bytes(data), bytes)
    assert isinstance(mutator.text(text), str)


def broken(read, **options) -> Target:
    return Target("broken", lambda: [b"abcdefgh"], read, (ValueError,), **options)


def test_fuzzer_finds_errors_and_broken_promises_and_repeats_them() -> None:
    def read(data: bytes) -> None:
        if len(data) > 8:
            raise KeyError("longer")
        if b"\xff" in data:
            raise PromiseError("accepted")
        raise ValueError("refused")

    counts = [fuzz([broken(read, accepted_first=False)], 20.0, 3, 400).counts["broken"] for _ in range(2)]
    assert counts[0].failed == counts[1].failed > 10
    assert counts[0].refused == counts[1].refused > 10
    kinds = {each.error.split(":")[0] for each in counts[0].failures.values()}
    assert kinds == {"KeyError", "PromiseError"}
    assert len(counts[0].failures) <= MAX_FOUND
    failure = next(iter(counts[0].failures.values()))
    assert failure.shown == repr(one_case(broken(read, accepted_first=False), [b"abcdefgh"], 3, failure.case))[:400]


def test_fuzzer_ends_a_reader_that_hangs(monkeypatch) -> None:
    monkeypatch.setattr("vla_trust.fuzz.run.HANG_S", 0.2)
    begun = time.monotonic()
    count = fuzz([broken(lambda data: time.sleep(30.0))], 20.0, cases=2).counts["broken"]
    assert count.failed == 2
    assert time.monotonic() - begun < 10.0
    assert "HangError" in next(iter(count.failures.values())).error


def test_fuzzer_bounds_memory() -> None:
    count = fuzz([broken(lambda data: bytearray(64 << 30))], 20.0, cases=1).counts["broken"]
    assert "MemoryError" in next(iter(count.failures.values())).error


def test_refused_example_is_a_fault_of_the_target() -> None:
    def read(data: bytes) -> None:
        raise ValueError("never")

    assert fuzz([broken(read)], 20.0, cases=3).counts["broken"].failed == 1


def test_command_reports_and_names_unknown_targets(tmp_path, capsys) -> None:
    out = tmp_path / "fuzz.json"
    assert main(["--target", "console-message", "tokens", "--cases", "50", "--out", str(out)]) == 0
    assert '"cases": 100' in out.read_text()
    assert "console-message" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--target", "nonsense"])
    assert "valid: observation-map" in capsys.readouterr().err
