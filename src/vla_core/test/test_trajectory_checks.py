# SPDX-License-Identifier: Apache-2.0
"""Trajectories as they arrive: what is taken and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_core.trajectory.checks import LIMIT_MARGIN, CommandError, Joints, ReceivedPoint, check_trajectory

NAMES = ("a", "b", "c")
JOINTS = Joints(NAMES, np.full(3, -2.0), np.full(3, 2.0))
GOOD = ReceivedPoint(0.1, (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0))
LATER = replace(GOOD, time_from_start=0.2)
NAN, INF = float("nan"), float("inf")


@given(st.permutations(range(3)))
def test_names_come_in_any_order(order):
    shuffled = replace(
        GOOD,
        positions=tuple(GOOD.positions[i] for i in order),
        velocities=tuple(GOOD.velocities[i] for i in order),
    )
    (point,) = check_trajectory([NAMES[i] for i in order], [shuffled], JOINTS)
    np.testing.assert_array_equal(point.positions, GOOD.positions)
    np.testing.assert_array_equal(point.velocities, GOOD.velocities)
    assert point.time_from_start == GOOD.time_from_start


@pytest.mark.parametrize(
    ("kind", "names", "points"),
    [
        ("joint_names", ["a", "b"], [GOOD]),
        ("joint_names", ["a", "b", "x"], [GOOD]),
        ("joint_names", ["a", "b", "c", "d"], [GOOD]),
        ("joint_names", ["a", "b", "b"], [GOOD]),
        ("joint_names", ["a", "b", "c", "c"], [GOOD]),
        ("joint_names", [], [GOOD]),
        ("joint_names", ["x"], []),
        ("lengths", NAMES, [replace(GOOD, positions=(0.1, 0.2))]),
        ("lengths", NAMES, [replace(GOOD, positions=())]),
        ("lengths", NAMES, [replace(GOOD, velocities=(0.1,))]),
        ("lengths", NAMES, [replace(GOOD, accelerations=(0.1,) * 4)]),
        ("lengths", NAMES, [GOOD, replace(LATER, velocities=())]),
        ("not_finite", NAMES, [replace(GOOD, positions=(0.1, NAN, 0.3))]),
        ("not_finite", NAMES, [replace(GOOD, velocities=(INF, 0.0, 0.0))]),
        ("not_finite", NAMES, [GOOD, replace(LATER, accelerations=(0.0, 0.0, -INF))]),
        ("times", NAMES, [replace(GOOD, time_from_start=-0.1)]),
        ("times", NAMES, [LATER, GOOD]),
        ("times", NAMES, [GOOD, GOOD]),
        ("beyond_stop", NAMES, [replace(GOOD, positions=(0.0, 0.0, 2.5))]),
        ("beyond_stop", NAMES, [GOOD, replace(LATER, positions=(0.0, -1e9, 0.0))]),
    ],
)
def test_refusals_say_what_came_and_what_is_valid(kind, names, points):
    with pytest.raises(CommandError, match="valid") as caught:
        check_trajectory(names, points, JOINTS)
    assert caught.value.name == kind
    assert len(str(caught.value)) < 400


def test_nothing_at_all_means_stop():
    assert check_trajectory([], [], JOINTS) == ()
    assert check_trajectory(NAMES, [], JOINTS) == ()


def test_rounding_at_a_stop_is_let_through():
    at_stop = replace(GOOD, positions=(2.0 + LIMIT_MARGIN / 2, 0.0, 0.0))
    assert len(check_trajectory(NAMES, [at_stop], JOINTS)) == 1


@given(st.floats(0.0, 0.45), st.integers(1, 5))
def test_a_stamp_moves_the_times_and_keeps_the_segment_of_now(age, count):
    points = [replace(GOOD, time_from_start=0.1 * (i + 1)) for i in range(count)]
    end = points[-1].time_from_start
    if age > end:
        with pytest.raises(CommandError) as caught:
            check_trajectory(NAMES, points, JOINTS, age)
        assert caught.value.name == "in_the_past"
        return
    left = check_trajectory(NAMES, points, JOINTS, age)
    assert left[-1].time_from_start == pytest.approx(end - age)
    assert all(point.time_from_start > 0.0 for point in left[1:])
    assert len(left) == min(count, 1 + sum(point.time_from_start - age > 0.0 for point in points))


def test_accelerations_stay_with_their_points():
    points = [replace(GOOD, accelerations=()), replace(LATER, accelerations=(1.0, 2.0, 3.0))]
    first, last = check_trajectory(NAMES, points, JOINTS)
    assert first.accelerations is None
    np.testing.assert_array_equal(last.accelerations, (1.0, 2.0, 3.0))


def test_positions_alone_get_velocities_of_a_smooth_path():
    times = (0.1, 0.2, 0.4)
    points = [ReceivedPoint(t, (t, 2 * t, 0.0)) for t in times]  # a straight line in time
    smooth = check_trajectory(NAMES, points, JOINTS)
    np.testing.assert_allclose(smooth[1].velocities, (1.0, 2.0, 0.0))
    np.testing.assert_array_equal(smooth[-1].velocities, 0.0)


def test_one_position_alone_is_reached_at_rest():
    (point,) = check_trajectory(NAMES, [ReceivedPoint(0.1, (0.0, 1.0, 0.0))], JOINTS)
    np.testing.assert_array_equal(point.velocities, 0.0)
