# SPDX-License-Identifier: Apache-2.0
"""The delay of an arm behind its setpoints is found from its motion, and every chunk gets its account."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from vla_controller.bench.recording import load_recording
from vla_controller.bench.rig import Bench
from vla_controller.bench.seams import record
from vla_controller.health.health import OK, WARN, diagnose_latency
from vla_controller.health.motion_latency import MotionLatency, response_delay

DT = 0.05


def wave(times: np.ndarray, speed: float = 2.0) -> np.ndarray:
    return np.stack((0.3 * np.sin(speed * times), 0.01 * times, 0.1 * np.cos(3.0 * times)), axis=1)


def feed(latency: MotionLatency, delay: float, begin: float, end: float) -> None:
    for k in range(round((end - begin) * 100)):
        now = begin + 0.01 * k
        if k % 5 == 0:
            latency.add_setpoint(now, wave(np.array([now]))[0])
        latency.add_measured(now, wave(np.array([now - delay]))[0] + 0.02)  # and it sags


@pytest.mark.parametrize("delay", [0.0, 0.035, 0.09, 0.2, 0.41])
def test_the_delay_is_found_whatever_the_offset(delay: float) -> None:
    sent_at, seen_at = np.arange(0.0, 2.0, 0.05), np.arange(0.0, 2.0, 0.01)
    sent = list(zip(sent_at, wave(sent_at), strict=True))
    measured = list(zip(seen_at, wave(seen_at - delay) + 0.05, strict=True))
    assert response_delay(sent, measured) == pytest.approx(delay, abs=0.005)


def test_an_arm_at_rest_has_no_delay() -> None:
    rows = [(0.05 * k, np.zeros(3)) for k in range(40)]
    assert math.isnan(response_delay(rows, rows))
    assert math.isnan(response_delay([], []))


@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-3])
def test_motion_at_one_speed_tells_no_delay(noise: float) -> None:
    """An arm that sags looks as one that is late: any delay up to the longest was reported."""
    rng, sent_at, seen_at = np.random.default_rng(0), np.arange(0.0, 2.0, 0.05), np.arange(0.0, 2.0, 0.02)
    sent = [(t, np.array([0.3 * t])) for t in sent_at]
    measured = [(t, np.array([0.3 * (t - 0.07) + noise * rng.normal()])) for t in seen_at]
    assert math.isnan(response_delay(sent, measured))


def test_the_delay_of_recorded_motion_is_found(make_bench: Callable[[str], Bench]) -> None:
    """Setpoints of a recorded policy, and an arm that is where a spline through them was 70 ms before."""
    bench = record(make_bench("fr3").controller, DT, load_recording().runs[0], 8.0)
    times = np.array([row.stamp for row in bench.setpoints])
    places = CubicSpline(times, np.array([row.q for row in bench.setpoints]))
    found = []
    for begin in np.arange(0.0, 5.5, 0.25):
        window = (times >= begin) & (times <= begin + 2.0)
        seen = np.arange(begin, begin + 2.0, 0.02)
        sent = [(t, places(t)) for t in times[window]]
        found.append(response_delay(sent, [(t, places(max(0.0, t - 0.07))) for t in seen]))
    known = np.array(found)[np.isfinite(found)]
    assert len(known) > 10
    assert np.all((known > 0.06) & (known < 0.08))


def test_every_chunk_gets_its_times() -> None:
    latency = MotionLatency()
    assert latency.summary() == {}
    feed(latency, 0.08, 0.0, 2.0)
    latency.add_chunk(7, 1.8, 0.11, 2.0)
    assert latency.summary()["arrival_ms_p50"] == pytest.approx(200.0)
    assert "motion_ms_p50" not in latency.summary()
    feed(latency, 0.08, 2.02, 3.0)
    latency.update(3.0)
    found = latency.summary()
    assert found["inference_ms_p99"] == pytest.approx(110.0)
    assert found["setpoint_ms_p50"] == pytest.approx(220.0)
    assert found["response_ms"] == pytest.approx(80.0, abs=5.0)
    assert found["motion_ms_p50"] == pytest.approx(300.0, abs=5.0)


def test_only_the_latest_chunks_count() -> None:
    latency = MotionLatency(window=4)
    for k in range(10):
        latency.add_chunk(k, float(k), 0.1, k + 0.1 * k)
    assert latency.summary()["arrival_ms_p50"] == pytest.approx(750.0)


def test_over_the_budget_is_a_warning() -> None:
    values = {"motion_ms_p50": 300.0, "motion_ms_p99": 700.0}
    assert diagnose_latency(values, 0.6).level == WARN
    assert "over the budget of 600 ms" in diagnose_latency(values, 0.6).message
    assert diagnose_latency(values, 0.8).level == OK
    assert diagnose_latency({}, 0.6).level == OK
