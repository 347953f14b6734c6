# SPDX-License-Identifier: Apache-2.0
"""What the controller says of itself: health and tick times, and that messages keep what they carry."""

from __future__ import annotations

import numpy as np
import pytest
from vla_controller.bench import Bench
from vla_controller.chunk import Step
from vla_controller.health import ERROR, OK, WARN, diagnose
from vla_controller.reference import schedule
from vla_controller.tick_times import TickTimes


def test_health_follows_the_controller(fr3: Bench) -> None:
    times = TickTimes(100)
    assert diagnose(None, fr3.controller, times, 0).level == WARN
    assert diagnose(fr3.tick(), fr3.controller, times, 0).level == OK
    fr3.send(Step(), frame_id="camera")
    health = diagnose(fr3.tick(), fr3.controller, times, 0)
    assert health.level == WARN
    assert str(health.values["refused wrong_frame"]).startswith("1; latest: frame 'camera'")
    assert diagnose(fr3.tick(), fr3.controller, times, 1).level == OK
    fr3.controller.estop()
    assert diagnose(fr3.tick(), fr3.controller, times, 1).level == ERROR


def test_tick_times_are_percentiles_of_the_window() -> None:
    times = TickTimes(100)
    assert times.summary() == {}
    for k in range(500):
        period = times.add(0.05 * k + (0.01 if k == 450 else 0.0), 0.001)
    assert period == pytest.approx(0.05)
    summary = times.summary()
    assert summary["period_ms_p50"] == pytest.approx(50.0)
    assert summary["period_ms_max"] == pytest.approx(60.0)
    assert summary["compute_ms_p99"] == pytest.approx(1.0)


def test_steps_after_the_one_that_terminates_are_not_done(fr3: Bench) -> None:
    chunk = fr3.chunk(Step(), Step(terminate=True), Step(np.array([0.1, 0.0, 0.0])))
    plan = schedule(chunk, fr3.now, 0.3)
    assert plan.indices == (0, 1)
    assert plan.times == pytest.approx((fr3.now + 0.3, fr3.now + 0.5))


@pytest.mark.parametrize(("age", "kept", "late"), [(0.1, (0, 1), 0), (0.4, (1,), 1), (0.6, (1,), 2), (0.9, (), 2)])
def test_a_late_last_step_is_done_within_one_period(fr3: Bench, age: float, kept: tuple[int, ...], late: int) -> None:
    plan = schedule(fr3.chunk(Step(), Step(), stamp=fr3.now - age), fr3.now, 0.3)
    assert (plan.indices, plan.late) == (kept, late)
