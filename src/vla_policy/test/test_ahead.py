# SPDX-License-Identifier: Apache-2.0
"""What a policy is told of the chunk before: its steps that are not done yet, and how many will be on arrival."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_policy.ahead import Ahead, Leftovers
from vla_policy.errors import ConfigurationError
from vla_policy.remote.address import parse_address
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.protocols.gr00t import Gr00tServer
from vla_policy.run.runner import PolicyRunner
from vla_policy.run.state import Stamped, Task
from vla_policy.settings import Settings


def chunk(stamp: float, steps: int = 10, period: float = 0.2, end: int | None = None) -> ActionChunk:
    made = tuple(ActionStep(np.full(3, float(k)), terminate=k == end) for k in range(steps))
    return ActionChunk(stamp, ActionMode.EE_DELTA, DeltaReference.OBSERVED, period, made)


def test_nothing_is_ahead_before_the_first_chunk_after_the_last_step_and_after_forgetting() -> None:
    leftovers = Leftovers(0.3)
    assert leftovers.ahead(1.0) is None
    leftovers.sent(chunk(0.0), 0.1)
    assert leftovers.ahead(0.0) is None  # the chunk's own observation
    assert leftovers.ahead(0.2) is not None
    assert leftovers.ahead(2.2) is None
    leftovers.forget()
    assert leftovers.ahead(0.2) is None


def test_steps_are_counted_by_when_they_are_due() -> None:
    leftovers = Leftovers(0.3)
    leftovers.sent(chunk(0.0), 0.5)
    ahead = leftovers.ahead(0.6)  # steps 0 and 1, due at 0.3 and 0.5, are done; 2 and 3 are due before 0.6 + 0.5
    assert ahead is not None
    assert (ahead.first, ahead.delay_s, ahead.delay_steps, len(ahead.left)) == (2, 0.5, 2, 8)
    assert ahead.left[0].translation[0] == 2.0


def test_a_step_that_ends_the_task_is_the_last_one() -> None:
    leftovers = Leftovers(0.3)
    leftovers.sent(chunk(0.0, end=2), 0.1)
    assert leftovers.ahead(0.6) is not None
    assert leftovers.ahead(0.75) is None


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 2.0), st.integers(1, 30), st.floats(0.02, 0.5), st.floats(0.0, 2.0), st.floats(0.0, 1.0))
def test_what_is_left_is_due_later_and_what_is_not_was_due(
    since: float, steps: int, period: float, delay: float, budget: float
) -> None:
    leftovers = Leftovers(budget)
    leftovers.sent(chunk(10.0, steps, period), 10.0 + delay)
    ahead, due = leftovers.ahead(10.0 + since), 10.0 + budget + period * np.arange(steps)
    left = due >= 10.0 + since - 1e-6
    if ahead is None:
        assert not np.any(due >= 10.0 + since + 1e-6)
        return
    assert len(ahead.left) == pytest.approx(left.sum(), abs=1)
    assert 0 <= ahead.delay_steps <= len(ahead.left)
    frozen = due[ahead.first : ahead.first + ahead.delay_steps]
    assert np.all(frozen <= 10.0 + since + ahead.delay_s + 1e-6)


def test_the_runner_tells_it_with_each_job_and_forgets_it_with_the_task() -> None:
    runner: PolicyRunner[str] = PolicyRunner(Settings())
    runner.on_instruction(Task("1", "pick up the red block", 0.0, sequence=1), 0.0)
    for stamp in (1.0, 1.2, 1.4):
        runner.on_observation(Stamped(stamp, "image"))
        job = runner.next_job(stamp)
        assert job is not None
        assert (job.ahead is None) == (stamp == 1.0)
        assert runner.finish(job, chunk(stamp), stamp + 0.1, 0.1)
    assert job.ahead is not None
    assert job.ahead.chunk.stamp == 1.2
    assert job.ahead.delay_s == pytest.approx(0.1)
    runner.on_instruction(Task("2", "pick up the blue block", 2.0, sequence=2), 2.0)
    runner.on_observation(Stamped(2.0, "image"))
    job = runner.next_job(2.0)
    assert job is not None
    assert job.ahead is None


def test_gr00t_is_told_only_where_it_is_asked_for() -> None:
    ahead = Ahead(chunk(0.0), 2, 0.5, 3)
    for address, options in (
        ("tcp://127.0.0.1:5555", None),
        ("tcp://127.0.0.1:5555?rtc=6", {"rtc_overlap_steps": 8, "rtc_frozen_steps": 3, "rtc_ramp_rate": 6.0}),
    ):
        server = Gr00tServer(parse_address(address), Credentials())
        assert server._options() is None
        server.ahead = ahead
        assert server._options() == options
    for wrong in ("fast", "0", "-1", str(math.nan), str(math.inf)):
        with pytest.raises(ConfigurationError, match=r"valid is a ramp rate above 0"):
            Gr00tServer(parse_address(f"tcp://127.0.0.1:5555?rtc={wrong}"), Credentials())
