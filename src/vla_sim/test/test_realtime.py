# SPDX-License-Identifier: Apache-2.0
"""Pace, delays and schedules; the clock is a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_sim.run.realtime import MAX_BACKLOG_S, WINDOW_S, DelayLine, Pacer, Schedule

DT = 0.002
SHORT_WAITS = st.lists(st.floats(0.0, MAX_BACKLOG_S * 0.9), min_size=1, max_size=200)
WAITS = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=100)


@given(SHORT_WAITS)
def test_short_delays_are_caught_up_to_the_step(waits):
    pacer, now, steps = Pacer(DT, 100.0), 100.0, 0
    for wait in waits:
        now += wait
        steps += pacer.due(now)
        assert now - DT - 1e-6 < pacer.time_of_state <= now + 1e-6
    assert abs(steps * DT - (now - 100.0)) < DT + 1e-6
    assert pacer.lost_s == 0.0


@given(WAITS)
def test_long_delays_are_lost_and_accounted_for(waits):
    pacer, now, steps = Pacer(DT, 0.0), 0.0, 0
    for wait in waits:
        now += wait
        due = pacer.due(now)
        assert due * DT <= MAX_BACKLOG_S + DT
        steps += due
    assert steps * DT + pacer.lost_s == pytest.approx(now, abs=2 * DT)


def test_a_clock_that_stands_still_gives_no_steps():
    pacer = Pacer(DT, 5.0)
    assert pacer.due(5.01) == 5
    assert [pacer.due(5.01) for _ in range(3)] == [0, 0, 0]


@given(st.floats(0.1, 1.0))
def test_real_time_factor_is_the_share_of_time_simulated(share):
    pacer, period = Pacer(DT, 0.0), MAX_BACKLOG_S / share
    assert pacer.real_time_factor(0.0) == 1.0
    now = 0.0
    while now < 2 * WINDOW_S:
        now += period  # each wake-up comes so late that only MAX_BACKLOG_S of it are simulated
        pacer.due(now)
    assert pacer.real_time_factor(now) == pytest.approx(share, rel=0.05)


def test_real_time_factor_recovers_after_the_window():
    pacer, now = Pacer(DT, 0.0), 0.0
    pacer.due(3.0)
    assert pacer.real_time_factor(3.0) < 0.1
    for i in range(700):
        now = 3.0 + 0.01 * (i + 1)
        pacer.due(now)
    assert pacer.real_time_factor(now) == pytest.approx(1.0, abs=0.01)


@given(st.lists(st.tuples(st.integers(), st.floats(0, 10)), max_size=30), st.floats(0, 10))
def test_delay_line_gives_back_what_is_due_in_order(items, now):
    line: DelayLine[int] = DelayLine()
    for value, due in items:
        line.put(value, due)
    ordered = sorted(items, key=lambda item: item[1])
    assert line.take(now) == [value for value, due in ordered if due <= now]
    assert line.next_due == min((due for _, due in items if due > now), default=float("inf"))


@given(st.floats(1.0, 60.0), WAITS)
def test_schedule_keeps_its_rate_and_drops_what_it_missed(rate, waits):
    schedule, now, taken = Schedule(rate, 0.0), 0.0, 0
    for wait in waits:
        now += wait
        taken += schedule.take(now)
        assert not schedule.take(now)
        assert now < schedule.next_due <= now + 1.0 / rate + 1e-6
    assert taken <= now * rate + 1e-6


@given(st.floats(0.05, 20.0), SHORT_WAITS)
def test_simulated_time_keeps_its_ratio_to_the_wall_clock(speed, waits):
    pacer, now, steps = Pacer(DT, 10.0, speed), 10.0, 0
    for wait in waits:
        now += wait
        steps += pacer.due(now)
    assert steps * DT == pytest.approx((now - 10.0) * speed, abs=2 * DT)
    assert pacer.lost_s == 0.0


@given(st.floats(0.05, 20.0), st.floats(0.05, 20.0))
def test_a_change_of_speed_counts_from_then_on(first, second):
    pacer, steps = Pacer(DT, 0.0, first), 0
    for i in range(1, 101):
        steps += pacer.due(0.01 * i)
    pacer.speed = second
    for i in range(101, 201):
        steps += pacer.due(0.01 * i)
    assert steps * DT == pytest.approx(first + second, abs=DT * (2 + second / first))


def test_a_pause_is_not_lost_time():
    pacer = Pacer(DT, 0.0)
    pacer.due(0.01)
    pacer.restart(100.0)
    assert pacer.due(100.01) == 5
    assert pacer.lost_s == 0.0


def test_rate_zero_is_never_due():
    assert not Schedule(0.0, 0.0).take(1e9)
