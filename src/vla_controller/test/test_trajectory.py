# SPDX-License-Identifier: Apache-2.0
"""Planned trajectories go through the same limits, own the arm while they run, and end with a named outcome."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vla_controller.bench.rig import Bench
from vla_controller.motion.setpoint import ControllerState
from vla_controller.trajectory.curve import Curve, Trajectory
from vla_controller.trajectory.goal import ErrorCode, GoalError, TrajectoryGoal, read_goal
from vla_controller.trajectory.run import TrajectoryRun
from vla_core.action import ActionStep
from vla_core.robot import load_robot_config

FR3 = load_robot_config("fr3")
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
AWAY = np.array([0.3, -0.2, 0.2, 0.3, -0.3, 0.2, 0.4])


def goal(*positions: np.ndarray, **changes: Any) -> TrajectoryGoal:
    empty = tuple(np.zeros(0) for _ in positions)
    values = {
        "stamp": 0.0,
        "joint_names": FR3.joints,
        "times": np.array([2.0 * (k + 1) for k in range(len(positions))]),
        "positions": positions,
        "velocities": empty,
        "accelerations": empty,
    }
    return TrajectoryGoal(**{**values, **changes})


def start(bench: Bench, asked: TrajectoryGoal) -> TrajectoryRun:
    return bench.controller.start_trajectory(asked, bench.now)


def run_out(bench: Bench, run: TrajectoryRun) -> None:
    while run.outcome is None:
        bench.tick()


@pytest.mark.parametrize("order", [1, -1])
def test_it_arrives_on_time_within_the_limits_in_any_joint_order(fr3: Bench, order: int) -> None:
    target = FR3.home + AWAY
    asked = goal(target[::order], joint_names=FR3.joints[::order])
    begin = fr3.now
    run = start(fr3, asked)
    run_out(fr3, run)
    assert run.outcome is not None
    assert run.outcome.code == ErrorCode.SUCCESSFUL, run.outcome.text
    assert np.allclose(fr3.q, target, atol=1e-3)
    assert fr3.now - begin < 2.0 + 0.6
    assert fr3.violations() == []
    assert fr3.setpoints[-1].state == ControllerState.HOLDING


def test_the_setpoints_are_on_the_path_at_the_right_time(fr3: Bench) -> None:
    rest = np.zeros(7)
    middle = FR3.home + 0.5 * AWAY
    asked = goal(middle, FR3.home + AWAY, velocities=(0.4 * AWAY, rest), accelerations=(rest, rest))
    begin = fr3.now
    run = start(fr3, asked)
    while fr3.now < begin + 3.9:
        row = fr3.tick()
        assert np.max(np.abs(row.q - run.curve.at(row.stamp + fr3.dt))) < 4e-3


def test_one_owner_at_a_time(fr3: Bench) -> None:
    fr3.send(ActionStep(np.array([0.0, 0.05, 0.0])))
    fr3.tick(4)
    run = start(fr3, goal(fr3.q + 0.3 * AWAY))
    refusal = fr3.send(ActionStep())
    assert refusal is not None
    assert refusal.name == "not_owner"
    run_out(fr3, run)
    refusal = fr3.send(ActionStep())
    assert refusal is not None
    assert refusal.name == "stopped"
    fr3.controller.set_instruction("b")
    fr3.instruction_id = "b"
    assert fr3.send(ActionStep(np.array([0.0, -0.02, 0.0]))) is None
    fr3.tick(30)
    assert fr3.violations() == []


def test_an_instruction_given_meanwhile_waits_for_its_turn(fr3: Bench) -> None:
    run = start(fr3, goal(FR3.home + AWAY))
    fr3.tick(3)
    fr3.controller.set_instruction("b")
    fr3.instruction_id = "b"
    fr3.tick(3)
    assert run.outcome is None
    refusal = fr3.send(ActionStep())
    assert refusal is not None
    assert refusal.name == "not_owner"
    run_out(fr3, run)
    assert fr3.send(ActionStep()) is None


def test_a_cancelled_one_stops_on_its_path(fr3: Bench) -> None:
    run = start(fr3, goal(FR3.home + AWAY, velocities=(np.zeros(7),), accelerations=(np.zeros(7),)))
    fr3.tick(20)
    asked = fr3.now
    fr3.controller.trajectories.cancel()
    run_out(fr3, run)
    assert run.outcome is not None
    assert run.outcome.cancelled
    assert fr3.now - asked < 0.8
    share = (fr3.q - FR3.home) / AWAY
    assert np.ptp(share) < 2e-3
    assert 0.2 < share.mean() < 0.8
    assert fr3.violations() == []


@pytest.mark.parametrize("how", ["stop", "estop", "newer", "home", "stale"])
def test_whatever_stops_the_arm_ends_it(how: str, fr3: Bench) -> None:
    run = start(fr3, goal(FR3.home + AWAY))
    fr3.tick(20)
    if how == "stop":
        fr3.controller.set_instruction("s", stop=True)
    elif how == "estop":
        fr3.controller.estop()
    elif how == "newer":
        start(fr3, goal(fr3.q))
    elif how == "home":
        assert fr3.controller.go_home(fr3.now) is None
    else:
        fr3.now += 0.6
        fr3.tick_without_joint_state()
    assert run.outcome is not None
    assert run.outcome.code == ErrorCode.PATH_TOLERANCE_VIOLATED
    fr3.tick(10)
    assert fr3.violations() == []


def test_an_arm_that_does_not_follow_aborts_it_and_the_setpoints_stop(fr3: Bench) -> None:
    run = start(fr3, goal(FR3.home + AWAY, path_tolerance={FR3.joints[0]: 0.1}))
    for _ in range(40):
        fr3.controller.update_joint_state(fr3.now, FR3.home, np.zeros(7))
        fr3.tick_without_joint_state()
    assert run.outcome is not None
    assert run.outcome.code == ErrorCode.PATH_TOLERANCE_VIOLATED
    assert f"{FR3.joints[0]} is 0.1" in run.outcome.text
    assert fr3.controller.at_rest
    assert fr3.violations() == []


def test_an_arm_that_never_quite_arrives_violates_the_goal_tolerance(fr3: Bench) -> None:
    run = start(fr3, goal(FR3.home + AWAY, path_tolerance={FR3.joints[1]: -1.0}))
    while run.outcome is None:
        fr3.controller.update_joint_state(fr3.now, fr3.q + np.eye(7)[1] * 0.05, np.zeros(7))
        fr3.tick_without_joint_state()
    assert run.outcome.code == ErrorCode.GOAL_TOLERANCE_VIOLATED
    assert FR3.joints[1] in run.outcome.text


BAD: list[tuple[dict[str, Any], ErrorCode, str]] = [
    ({"joint_names": FR3.joints[:6]}, ErrorCode.INVALID_JOINTS, "in any order"),
    ({"joint_names": (*FR3.joints[:6], "elbow")}, ErrorCode.INVALID_JOINTS, "elbow"),
    ({"multi_dof": True}, ErrorCode.INVALID_JOINTS, "multi_dof"),
    ({"path_tolerance": {"elbow": 0.1}}, ErrorCode.INVALID_JOINTS, "elbow"),
    ({"times": np.array([-1.0])}, ErrorCode.INVALID_GOAL, "strictly increasing"),
    ({"times": np.array([np.nan])}, ErrorCode.INVALID_GOAL, "strictly increasing"),
    ({"times": np.array([]), "positions": ()}, ErrorCode.INVALID_GOAL, "0 points"),
    ({"positions": (np.full(7, np.nan),)}, ErrorCode.INVALID_GOAL, "finite"),
    ({"positions": (np.zeros(6),)}, ErrorCode.INVALID_GOAL, "points[0].positions"),
    ({"positions": (FR3.limits.upper + 0.1,), "times": np.array([20.0])}, ErrorCode.INVALID_GOAL, "valid is"),
    ({"times": np.array([0.1])}, ErrorCode.INVALID_GOAL, "velocity of"),
    (
        {"times": np.array([0.0, 2.0]), "positions": (FR3.home + AWAY,) * 2},
        ErrorCode.INVALID_GOAL,
        "away from the arm",
    ),
    ({"velocities": (np.full(7, 0.3),)}, ErrorCode.INVALID_GOAL, "end at rest"),
    (
        {"velocities": (np.zeros(7),), "accelerations": (np.full(7, 50.0),)},
        ErrorCode.INVALID_GOAL,
        "acceleration of 50",
    ),
    ({"stamp": 0.1}, ErrorCode.OLD_HEADER_TIMESTAMP, "in the past"),
    ({"stamp": 1e6}, ErrorCode.INVALID_GOAL, "in the future"),
]


@pytest.mark.parametrize(("changes", "code", "said"), BAD)
def test_a_bad_goal_is_refused_by_code_and_changes_nothing(
    fr3: Bench, changes: dict[str, Any], code: ErrorCode, said: str
) -> None:
    fr3.tick(30)
    fr3.send(ActionStep(np.array([0.0, 0.05, 0.0])))
    with pytest.raises(GoalError, match=None) as caught:
        start(fr3, goal(FR3.home + AWAY, **changes))
    assert caught.value.code == code
    assert said in str(caught.value)
    assert fr3.controller.log.count("trajectory_refused") == 1
    assert fr3.tick(4).state == ControllerState.TRACKING


def test_an_emergency_stop_refuses_it(fr3: Bench) -> None:
    fr3.controller.estop()
    with pytest.raises(GoalError, match="emergency stop"):
        start(fr3, goal(FR3.home))


@given(st.integers(1, 6), st.integers(0, 2), st.randoms(use_true_random=False))
@QUICK
def test_the_curve_passes_its_points(count: int, derivatives: int, random: Any) -> None:
    rng = np.random.default_rng(random.randint(0, 2**31))
    times = np.concatenate(([0.0], np.cumsum(rng.uniform(0.2, 1.0, count))))
    q, qd, qdd = rng.normal(size=(3, count + 1, 7))
    trajectory = Trajectory(times, q, qd if derivatives > 0 else None, qdd if derivatives > 1 else None)
    h = 1e-6
    for k, time in enumerate(times):
        assert np.allclose(trajectory.sample(time), q[k], atol=1e-9)
        if derivatives and 0 < k < count:
            slope = (trajectory.sample(time + h) - trajectory.sample(time - h)) / (2 * h)
            assert np.allclose(slope, qd[k], atol=1e-2)
        if derivatives > 1 and 0 < k < count:
            after = (trajectory.sample(time + 2 * h) - 2 * trajectory.sample(time + h) + trajectory.sample(time)) / h**2
            assert np.allclose(after, qdd[k], atol=0.3)


@given(st.floats(0.0, 2.2), st.floats(0.05, 3.0))
@QUICK
def test_stopping_never_goes_back_or_off_the_path(when: float, stretch: float) -> None:
    line = Trajectory(np.array([0.0, 2.0]), np.stack((FR3.home, FR3.home + AWAY)), None, None)
    curve = Curve(line, 10.0)
    curve.sample(10.0 + when)
    curve.stop(FR3.limits)
    shares = [((curve.sample(10.0 + when + stretch * k / 20) - FR3.home) / AWAY) for k in range(21)]
    assert all(np.ptp(share) < 1e-9 for share in shares)
    assert all(b[0] >= a[0] - 1e-12 for a, b in pairwise(shares))
    assert curve.end <= 12.0 + 1e-9 or curve.stopped


def test_a_goal_without_a_start_time_begins_now() -> None:
    curve = read_goal(goal(FR3.home + AWAY), FR3.joints, FR3.limits, FR3.home, 5.0)
    assert np.array_equal(curve.at(5.0), FR3.home)
    assert curve.end == pytest.approx(7.0)
