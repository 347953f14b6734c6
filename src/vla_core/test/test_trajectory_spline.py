# SPDX-License-Identifier: Apache-2.0
"""The spline that a joint_trajectory_controller would follow."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from vla_core.trajectory.spline import JointSpline, TrajectoryPoint

JOINTS = 3
VALUES = arrays(np.float64, JOINTS, elements=st.floats(-3, 3))
SPEEDS = arrays(np.float64, JOINTS, elements=st.floats(-2, 2))
GAPS = st.lists(st.tuples(st.floats(0.02, 1.0), VALUES, SPEEDS), min_size=1, max_size=5)
NOW = 10.0


def points_of(gaps) -> tuple[TrajectoryPoint, ...]:
    times = np.cumsum([gap for gap, _, _ in gaps])
    return tuple(TrajectoryPoint(t, q, v) for t, (_, q, v) in zip(times, gaps, strict=True))


@given(VALUES, GAPS)
def test_passes_through_every_point_with_its_velocity(start, gaps):
    spline = JointSpline(start)
    points = points_of(gaps)
    spline.follow(NOW, points)
    for point in points:
        position, velocity = spline.sample(NOW + point.time_from_start - 1e-9)
        np.testing.assert_allclose(position, point.positions, atol=1e-6)
        np.testing.assert_allclose(velocity, point.velocities, atol=1e-4)


@given(VALUES, GAPS)
def test_velocity_is_the_derivative_of_position(start, gaps):
    spline = JointSpline(start)
    points = points_of(gaps)
    spline.follow(NOW, points)
    step = 1e-5
    for time in NOW + np.linspace(0.003, points[-1].time_from_start - 0.003, 7):
        if min(abs(time - NOW - p.time_from_start) for p in points) < 2 * step:
            continue
        before, (_, velocity), after = (spline.sample(time + dt) for dt in (-step, 0.0, step))
        np.testing.assert_allclose((after[0] - before[0]) / (2 * step), velocity, atol=1e-3)


@given(VALUES, GAPS, GAPS, st.floats(0.0, 3.0))
def test_a_new_trajectory_bends_off_without_a_jump(start, first, second, later):
    spline = JointSpline(start)
    spline.follow(NOW, points_of(first))
    position, velocity = spline.sample(NOW + later)
    spline.follow(NOW + later, points_of(second))
    after, velocity_after = spline.sample(NOW + later + 1e-9)
    np.testing.assert_allclose(after, position, atol=1e-6)
    np.testing.assert_allclose(velocity_after, velocity, atol=1e-4)


@given(VALUES, GAPS, st.floats(0.0, 10.0))
def test_holds_the_last_point_at_rest(start, gaps, later):
    spline = JointSpline(start)
    points = points_of(gaps)
    spline.follow(NOW, points)
    position, velocity = spline.sample(NOW + points[-1].time_from_start + 1e-6 + later)
    np.testing.assert_array_equal(position, points[-1].positions)
    np.testing.assert_array_equal(velocity, 0.0)


@given(VALUES, GAPS, st.floats(0.0, 3.0))
def test_no_points_stop_at_the_desired_state(start, gaps, later):
    spline = JointSpline(start)
    spline.follow(NOW, points_of(gaps))
    position, _ = spline.sample(NOW + later)
    spline.follow(NOW + later, ())
    held, velocity = spline.sample(NOW + later + 0.5)
    np.testing.assert_array_equal(held, position)
    np.testing.assert_array_equal(velocity, 0.0)


@given(VALUES, VALUES, SPEEDS, SPEEDS, st.floats(0.02, 0.5), st.floats(0.0, 1.0))
def test_points_with_accelerations_are_joined_by_quintics(start, coefficients, slope, bend, span, share):
    def polynomial(t):
        q = start + t * (slope + t * (bend + t * t * coefficients))  # of degree 4: a quintic must meet it
        qd = slope + t * (2 * bend + 4 * t * t * coefficients)
        return q, qd, 2 * bend + 12 * t * t * coefficients

    points = tuple(TrajectoryPoint(t, *polynomial(t)) for t in (-0.5 * span, 0.5 * span))
    spline = JointSpline(start + 1.0)  # a trajectory that began before is followed at once, wherever the arm was
    spline.follow(NOW, points)
    position, velocity = spline.sample(NOW + (share - 0.5) * span * 0.999)
    wanted = polynomial((share - 0.5) * span * 0.999)
    np.testing.assert_allclose(position, wanted[0], atol=1e-9)
    np.testing.assert_allclose(velocity, wanted[1], atol=1e-6)
