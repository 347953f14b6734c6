# SPDX-License-Identifier: Apache-2.0
"""Each kind of fault does to a stream what its name says, and the same for the same seed."""

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_faults import KINDS, Fault, FaultError, FaultyStream

STREAM = [(0.1 * k, k) for k in range(50)]  # 10 Hz
times = st.lists(st.floats(0.0, 100.0), max_size=40).map(sorted)
kinds = st.sampled_from(sorted(KINDS))


def values(sent):
    return [message for _, message in sent]


def test_off_sends_nothing(faults):
    assert faults(STREAM, "off") == []


def test_stuck_repeats_the_message_before_the_fault():
    stream = FaultyStream[int]()
    assert stream.push(1, 0.0) == [1]
    stream.begin(Fault.parse("stuck"), 0.1)
    assert [stream.push(k, 0.1 * k) for k in (2, 3)] == [[1], [1]]
    stream.end()
    assert stream.push(4, 0.4) == [4]


def test_slow_passes_one_in_its_period(faults):
    times_sent = [when for when, _ in faults(STREAM, "slow", 1.0)]
    assert len(times_sent) == 5
    assert min(later - earlier for earlier, later in pairwise(times_sent)) >= 1.0 - 1e-9


def test_delayed_keeps_order_and_is_late_by_its_magnitude(faults):
    sent = faults(STREAM, "delayed", 0.25)
    assert values(sent) == values(STREAM)
    assert all(when == pytest.approx(0.1 * k + 0.25) for when, k in sent)


@given(share=st.floats(0.01, 1.0), seed=st.integers(0, 1000))
def test_intermittent_loses_some_and_keeps_the_order(share, seed):
    stream = FaultyStream[int]()
    stream.begin(Fault.parse("intermittent", share, seed=seed), 0.0)
    sent = [item for now, k in STREAM for item in stream.push(k, now)]
    assert sent == sorted(set(sent))
    assert share < 1.0 or not sent


def test_duplicated_sends_each_twice(faults):
    assert values(faults(STREAM, "duplicated")) == [k for k in range(50) for _ in range(2)]


def test_reordered_swaps_neighbours_and_loses_none_but_the_last(faults):
    sent = values(faults(STREAM, "reordered", 0.5, seed=1))
    assert sent != sorted(sent)
    assert len(set(sent)) == len(sent) >= len(STREAM) - 1


@given(kind=kinds, at=times, seed=st.integers(0, 99))
def test_the_same_seed_gives_the_same_stream(kind, at, seed):
    def sent():
        stream = FaultyStream[int]()
        stream.begin(Fault.parse(kind, seed=seed), 0.0)
        return [stream.push(k, now) for k, now in enumerate(at)]

    assert sent() == sent()


@given(kind=kinds, at=times)
def test_after_its_duration_a_fault_is_over(kind, at):
    stream = FaultyStream[int]()
    stream.begin(Fault.parse(kind, duration=1.0), -10.0)
    for k, now in enumerate(at):
        assert stream.push(k, now)[-1] == k
    assert not at or stream.fault is None


def test_what_was_delayed_still_comes_after_the_end():
    stream = FaultyStream[int]()
    stream.begin(Fault.parse("delayed", 1.0), 0.0)
    assert stream.push(1, 0.0) == []
    stream.end()
    assert stream.push(2, 0.5) == [2]
    assert stream.due(1.0) == [1]
    assert stream.next_due == float("inf")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("stuk",), "valid: none, off, stuck"),
        (("off:black",), "only wrong and garbage"),
        (("delayed", -1.0), "0 (its default) to 60"),
        (("intermittent", 2.0), "share lost"),
        (("slow", float("nan")), "valid"),
        (("off", 0.0, -1.0), "until it is ended"),
    ],
)
def test_an_invalid_fault_is_refused_with_what_is_valid(arguments, said):
    with pytest.raises(FaultError) as error:
        Fault.parse(*arguments)
    assert said in str(error.value)


def test_streams_and_corruptions_need_no_ros():
    code = "import sys, vla_faults; vla_faults.FaultyStream, vla_faults.CORRUPTIONS; assert 'rclpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
