# SPDX-License-Identifier: Apache-2.0
"""The driver's velocities lead an arm along its trajectory, inside every bound, and end when nothing comes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_core.robot import load_robot_config
from vla_core.trajectory.spline import JointSpline, TrajectoryPoint
from vla_hardware.bench.motion import load_paths, tracking
from vla_hardware.franka.limits import STOP_LOWER, STOP_UPPER, velocity_bounds
from vla_hardware.stream import DeviationError, StartError, VelocityStream

ROBOT = load_robot_config("fr3")
BOUNDS = velocity_bounds(ROBOT)
HOME = ROBOT.home
PERIOD = 0.01
joints = st.lists(st.floats(-1.0, 1.0), min_size=7, max_size=7).map(np.array)
REST = np.zeros(7)


def line(end, seconds: float, start=HOME) -> tuple[TrajectoryPoint, ...]:
    return (TrajectoryPoint(0.0, start, REST), TrajectoryPoint(seconds, end, REST))


def drive(stream: VelocityStream, q, seconds: float, now: float = 0.0, clock_rate: float = 1.0):
    """An arm that has each velocity at once, on a clock of `clock_rate`; the positions and velocities over time."""
    q, v, rows = np.array(q), REST, []
    for _ in range(round(seconds / PERIOD)):
        command = stream.command(now, q, v, clock_rate)
        v = REST if command is None else command
        q = q + v * PERIOD * clock_rate
        now += PERIOD
        rows.append((q, v))
    return rows


@settings(max_examples=25, deadline=None)
@given(direction=joints, clock_rate=st.sampled_from([1.0, 0.6]))
def test_an_arm_arrives_where_its_trajectory_ends(direction, clock_rate) -> None:
    stream = VelocityStream(BOUNDS, linger=1.5)
    end = HOME + 0.15 * direction
    stream.follow(0.0, line(end, 1.0), HOME)
    rows = drive(stream, HOME, 2.4, clock_rate=clock_rate)
    assert np.abs(rows[-1][0] - end).max() < 2e-3
    assert np.abs(rows[-1][1]).max() < 0.02


@settings(max_examples=100, deadline=None)
@given(q=joints, wanted=joints)
def test_velocities_stay_inside_the_bounds_and_never_lead_out_of_the_stops(q, wanted) -> None:
    position = np.clip(HOME + 3.0 * q, STOP_LOWER, STOP_UPPER)
    velocity = BOUNDS.clip(20.0 * wanted, position)
    assert np.all(np.abs(velocity) <= BOUNDS.velocity + 1e-12)
    after = position + velocity * 0.1
    assert np.all(after <= np.maximum(STOP_UPPER, ROBOT.limits.upper + 0.1 * BOUNDS.velocity) + 1e-12)
    at_stop = BOUNDS.clip(np.full(7, 9.0), STOP_UPPER)
    assert np.all(at_stop == 0.0)
    assert np.all(BOUNDS.clip(np.full(7, -9.0), STOP_UPPER) < 0.0)  # back inside it may always go


def test_nothing_is_commanded_before_a_trajectory_and_after_its_end() -> None:
    stream = VelocityStream(BOUNDS)
    assert stream.command(0.0, HOME, REST) is None
    stream.follow(0.0, line(HOME + 0.05, 0.5), HOME)
    assert stream.command(0.4, HOME + 0.04, REST) is not None
    assert stream.command(0.9, HOME + 0.05, REST) is None
    assert not stream.is_active(0.9)


@pytest.mark.parametrize("joint", range(7))
def test_a_trajectory_that_begins_elsewhere_is_refused_and_the_one_before_followed_on(joint) -> None:
    stream = VelocityStream(BOUNDS, tolerance=0.1)
    stream.follow(0.0, line(HOME + 0.05, 1.0), HOME)
    away = HOME.copy()
    away[joint] += 0.2
    with pytest.raises(StartError, match=f"joint {joint + 1}.*up to 0.1 rad"):
        stream.follow(0.1, line(away, 1.0, start=away), HOME)
    assert stream.command(0.2, HOME, REST)[0] > 0.0


def test_an_arm_that_is_held_back_ends_the_motion() -> None:
    stream = VelocityStream(BOUNDS, tolerance=0.1)
    stream.follow(0.0, line(HOME + 0.4, 1.0), HOME)
    stream.command(0.1, HOME, REST)
    with pytest.raises(DeviationError, match="rad away from its trajectory"):
        stream.command(0.8, HOME, REST)
    assert stream.command(1.0, HOME, REST) is None


def test_after_a_hold_the_next_trajectory_begins_at_rest_where_the_arm_is() -> None:
    stream = VelocityStream(BOUNDS)
    stream.follow(0.0, line(HOME + 0.3, 0.5), HOME)
    stream.hold()
    assert stream.command(0.1, HOME, REST) is None
    stream.follow(0.2, (TrajectoryPoint(0.5, HOME + 0.02, REST),), HOME)
    first = stream.command(0.2, HOME, REST)
    assert np.abs(first).max() < 0.01  # no leap


def test_no_points_stop_an_arm_that_moves_and_start_nothing() -> None:
    stream = VelocityStream(BOUNDS)
    stream.follow(0.0, (), HOME)
    assert not stream.is_active(0.0)
    stream.follow(0.0, line(HOME + 0.3, 1.0), HOME)
    stream.follow(0.5, (), HOME + 0.15)
    assert np.abs(stream.command(0.55, HOME + 0.15, REST)).max() < 0.05


@pytest.mark.parametrize(("jitter", "most"), [(0.0, 5e-4), (0.002, 5e-4)])
def test_the_recorded_motion_is_followed_within_half_a_milliradian(jitter: float, most: float) -> None:
    """By an arm that obeys 3 ms late and within 8 rad/s^2; ticks of 10 ms come late by `jitter` [s] on the average."""
    rng, path = np.random.default_rng(0), load_paths()[0].after(ROBOT.home)
    rows = zip(path.times, path.positions, path.velocities, path.accelerations, strict=True)
    points = tuple(TrajectoryPoint(float(t), q, qd, qdd) for t, q, qd, qdd in rows)
    spline, stream = JointSpline(ROBOT.home), VelocityStream(velocity_bounds(ROBOT))
    spline.follow(0.0, points)
    stream.follow(0.0, points, ROBOT.home)
    q, qd, wanted, due = ROBOT.home.copy(), np.zeros(7), np.zeros(7), 0.0
    obeyed: list[tuple[float, np.ndarray]] = []
    times = 1e-3 * np.arange(round(1000.0 * float(path.times[-1])))
    commanded, measured = [], []
    for now in times:
        if now >= due:
            command = stream.command(float(now), q, qd)
            obeyed += [] if command is None else [(now + 0.003, command)]
            due = now + 0.01 + (rng.exponential(jitter) if jitter else 0.0)
        while obeyed and obeyed[0][0] <= now:
            wanted = obeyed.pop(0)[1]
        qd = qd + np.clip(wanted - qd, -0.008, 0.008)
        q = q + 1e-3 * qd
        commanded.append(spline.sample(float(now))[0])
        measured.append(q)
    lag, rms = tracking(times, np.array(commanded), times + 1e-3, np.array(measured))
    assert abs(lag) <= 0.01
    assert rms < most
