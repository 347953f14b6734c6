# SPDX-License-Identifier: Apache-2.0
"""What the controller says of itself: health and tick times, and that messages keep what they carry."""

from __future__ import annotations

import numpy as np
import pytest
from vla_controller.bench.rig import Bench
from vla_controller.health.health import ERROR, OK, WARN, diagnose
from vla_controller.health.tick_times import TickTimes
from vla_controller.intake.latency import Timing
from vla_controller.intake.targets import schedule
from vla_core.action import ActionStep


def test_health_follows_the_controller(fr3: Bench) -> None:
    times = TickTimes(100)
    assert diagnose(None, fr3.controller, times, 0).level == WARN
    assert diagnose(fr3.tick(), fr3.controller, times, 0).level == OK
    fr3.send(ActionStep(), frame_id="camera")
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
    chunk = fr3.chunk(ActionStep(), ActionStep(terminate=True), ActionStep(np.array([0.1, 0.0, 0.0])))
    plan = schedule(chunk, fr3.now, Timing(0.3, chunk.period))
    assert plan.indices == (0, 1)
    assert plan.times == pytest.approx((fr3.now + 0.3, fr3.now + 0.5))


@pytest.mark.parametrize(("age", "kept", "late"), [(0.1, (0, 1), 0), (0.4, (1,), 1), (0.6, (1,), 2), (0.9, (), 2)])
def test_a_late_last_step_is_done_within_one_period(fr3: Bench, age: float, kept: tuple[int, ...], late: int) -> None:
    chunk = fr3.chunk(ActionStep(), ActionStep(), stamp=fr3.now - age)
    plan = schedule(chunk, fr3.now, Timing(0.3, chunk.period))
    assert (plan.indices, plan.late) == (kept, late)
    followed = schedule(chunk, fr3.now, Timing(0.3, chunk.period), most_late=2.0)
    assert followed.indices == (kept or (1,))
    assert followed.times[-1] >= fr3.now - chunk.period


@pytest.mark.parametrize(
    ("velocity", "known"),
    [([], [0.0, 0.0]), ([1.0], [0.0, 0.0]), ([1.0, 2.0, 3.0], [3.0, 1.0]), ([np.nan, 2.0, np.nan], [0.0, 0.0])],
)
def test_joints_of_a_driver_that_does_not_know_their_velocities(velocity: list[float], known: list[float]) -> None:
    from sensor_msgs.msg import JointState
    from vla_controller.ros.conversions import joints_from_msg

    msg = JointState(name=["b", "finger", "a"], position=[0.1, 0.2, 0.3], velocity=velocity)
    found = joints_from_msg(msg, ["a", "b"])
    assert found is not None
    assert (found[0].tolist(), found[1].tolist()) == ([0.3, 0.1], known)
    assert joints_from_msg(msg, ["a", "c"]) is None


def test_joint_states_with_a_position_that_is_no_number_are_refused(fr3: Bench) -> None:
    held = fr3.q.copy()
    for q, qd in ((np.full(7, np.nan), np.zeros(7)), (held, np.full(7, np.inf)), (held[:6], np.zeros(6))):
        fr3.controller.update_joint_state(fr3.now, q, qd)
    assert fr3.controller.log.count("non_finite") == 3
    assert np.array_equal(fr3.tick(3).q, held)
