# SPDX-License-Identifier: Apache-2.0
"""Setpoints do not run away from an arm that is blocked or guided by hand; one that is only late is followed."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from vla_controller.arm_controller import ArmController
from vla_controller.bench.rig import Bench
from vla_controller.bench.streams import STREAMS, Source
from vla_controller.motion.setpoint import ControllerState
from vla_controller.settings import ControllerSettings
from vla_controller.trajectory.goal import TrajectoryGoal
from vla_controller.trajectory.run import TrajectoryRun
from vla_core.action import ActionMode, ActionStep, DeltaReference


def push(bench: Bench, mode: ActionMode, reference: DeltaReference, stuck: np.ndarray) -> float:
    """A policy asks for motion for 10 s, the arm stays at ``stuck``; how far its setpoint gets from there [rad]."""
    step, farthest = ActionStep(np.array([0.0, 0.02, 0.0]), joints=np.full(len(stuck), 0.05)), 0.0
    for k in range(200):
        bench.q = stuck
        if k % 4 == 0:
            bench.send(*[step] * 4, mode=mode, delta_reference=reference, observed_joints=stuck)
        farthest = max(farthest, float(np.max(np.abs(bench.tick().q - stuck))))
    return farthest


@pytest.mark.parametrize("reference", list(DeltaReference))
@pytest.mark.parametrize("mode", [ActionMode.EE_DELTA, ActionMode.JOINT_DELTA, ActionMode.JOINT_VELOCITY])
def test_the_setpoints_of_a_blocked_arm_stay_near_it(fr3: Bench, mode: ActionMode, reference: DeltaReference) -> None:
    home = fr3.q.copy()
    farthest = push(fr3, mode, reference, home)
    assert 0.01 < farthest < 0.7
    runs_away = reference == DeltaReference.COMMANDED or mode == ActionMode.JOINT_VELOCITY
    assert fr3.controller.log.count("not_following") > 0 or not runs_away
    fr3.tick(40)  # free again, the policy silent
    assert np.max(np.abs(fr3.q - home)) < 0.7
    del fr3.setpoints[:-30]
    assert fr3.violations() == []
    assert fr3.send(ActionStep(np.array([0.0, 0.02, 0.0]))) is None


@pytest.mark.parametrize("kind", ["steady", "zigzag", "into_limits", "mixed"])
@pytest.mark.parametrize("late", [3, 8])
def test_an_arm_that_follows_late_is_not_taken_for_a_blocked_one(bench: Bench, kind: str, late: int) -> None:
    config, settings = bench.controller.config, ControllerSettings(follow_lag=0.15 if late == 3 else 0.5)
    bench = Bench(ArmController(config, bench.dt, settings), bench.dt)
    source, way = Source(bench, np.random.default_rng(5)), deque([bench.q] * late, late)
    source.mode, source.size, top = ActionMode.JOINT_DELTA, 1.0, 0.0
    for _ in range(60):
        bench.q = way[0]
        STREAMS[kind](source)
        way.append(bench.tick().q)
        top = max(top, float(np.max(np.abs(bench.setpoints[-1].q - way[0]))))
    for _ in range(30):
        bench.q = way[0]
        way.append(bench.tick().q)
    assert top > 0.08
    assert bench.controller.log.count("not_following") == 0
    assert bench.violations() == []


def test_setpoints_follow_an_arm_guided_by_hand_inside_the_limits(fr3: Bench) -> None:
    home = fr3.q.copy()
    for k in range(100):
        place = home + 0.005 * k
        fr3.q = place
        assert np.max(np.abs(fr3.tick().q - place)) < 0.6
    for _ in range(100):
        fr3.q = place
        fr3.tick()
    assert fr3.controller.log.count("not_following") >= 1
    assert np.max(np.abs(fr3.setpoints[-1].q - place)) < 0.05
    assert fr3.setpoints[-1].state == ControllerState.HOLDING
    assert fr3.violations() == []


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3, 0.8])
def test_a_drifting_sensor_does_not_lead_the_arm_away(fr3: Bench, rate: float) -> None:
    begin, home = fr3.now, fr3.q.copy()

    def drift() -> None:  # the arm follows its setpoints; its first joint is measured more and more beside it
        beside = rate * (fr3.now - begin) * np.eye(7)[0]
        for k in range(5):
            fr3.controller.update_joint_state(fr3.now - 0.04 + 0.01 * k, fr3.q + beside, np.zeros(7))

    fr3.sense = drift
    fr3.tick(400)  # 20 s, in which it drifts by up to 16 rad
    assert np.max(np.abs(fr3.q - home)) < 0.5
    assert fr3.controller.hindrance(fr3.now) is not None
    assert fr3.violations() == []


def test_a_blocked_arm_is_not_taken_for_one_that_flees(fr3: Bench) -> None:
    home = fr3.q.copy()
    for k in range(200):  # it is pushed on against its obstacle, and led back, again and again
        fr3.q = home
        if k % 4 == 0:
            fr3.send(ActionStep(joints=home + 0.2), mode=ActionMode.JOINT_POSITION)
        fr3.tick()
    assert fr3.controller.log.count("not_following") > 3
    assert fr3.controller.log.count("arm_flees") == 0


def test_a_trajectory_has_tolerances_of_its_own(fr3: Bench) -> None:
    joints, home = fr3.controller.config.joints, fr3.q.copy()
    none = dict.fromkeys(joints, -1.0)
    rows = (home + np.array([0.8, 0, 0, 0, 0, 0, 0]),)
    goal = TrajectoryGoal(0.0, joints, np.array([2.0]), rows, (np.zeros(0),), (np.zeros(0),), none, none)
    run = fr3.controller.start_trajectory(goal, fr3.now)
    for _ in range(60):
        fr3.q = home
        fr3.tick()
    assert run.outcome is not None
    assert run.outcome.code == 0
    assert fr3.controller.log.count("not_following") > 0  # but once it is over, the arm is not where it was led


def plan(bench: Bench, change: np.ndarray, seconds: float = 2.0) -> TrajectoryRun:
    """A planned trajectory by ``change`` (n,) [rad] from where the arm is."""
    rows, none = (bench.q + change,), (np.zeros(0),)
    goal = TrajectoryGoal(0.0, bench.controller.config.joints, np.array([seconds]), rows, none, none)
    return bench.controller.start_trajectory(goal, bench.now)


def held(bench: Bench, place: np.ndarray, ticks: int) -> None:
    """An arm whose driver refuses commands: it stays at ``place`` (n,) [rad]."""
    for _ in range(ticks):
        bench.q = place
        bench.tick()
    bench.q = place


@pytest.mark.parametrize("moved", [5, 20, 30, 34])
def test_after_a_reflex_in_a_trajectory_the_setpoint_returns_and_goals_are_taken_again(fr3: Bench, moved: int) -> None:
    change = np.array([0.3, -0.2, 0.2, 0.3, -0.3, 0.2, 0.4])
    run = plan(fr3, change)
    fr3.tick(moved)
    place = fr3.q.copy()
    held(fr3, place, 100)
    assert run.outcome is not None
    assert run.outcome.code != 0
    assert np.max(np.abs(fr3.setpoints[-1].q - place)) < fr3.controller.settings.start_tolerance
    assert fr3.setpoints[-1].state == ControllerState.HOLDING
    again = plan(fr3, 0.2 * change)
    fr3.tick(60)
    assert again.outcome is not None
    assert again.outcome.code == 0, again.outcome.text
    assert fr3.violations() == []


def test_the_setpoint_does_not_return_while_the_emergency_stop_is_latched(fr3: Bench) -> None:
    plan(fr3, np.full(7, 0.2))
    fr3.tick(20)
    place = fr3.q - 0.15  # late by less than the tolerance of a trajectory
    fr3.controller.estop()
    held(fr3, place, 40)
    latched = fr3.setpoints[-1].q
    assert np.max(np.abs(latched - place)) > 0.1
    assert fr3.controller.reset_estop() is None
    held(fr3, place, 40)
    assert np.max(np.abs(fr3.setpoints[-1].q - place)) < 0.05
    assert fr3.violations() == []


def test_an_arm_that_sags_under_its_load_is_not_followed_down(fr3: Bench) -> None:
    sag = np.array([0.0, 0.06, 0.0, 0.0, 0.0, 0.0, 0.0])
    fr3.tick(20)
    home = fr3.q.copy()
    for _ in range(100):  # no fault: the setpoint stays
        fr3.q = fr3.setpoints[-1].q + sag
        fr3.tick()
    assert fr3.setpoints[-1].q == pytest.approx(home)
    fr3.controller.watch.suspect()
    for _ in range(400):
        fr3.q = fr3.setpoints[-1].q + sag
        fr3.tick()
    assert np.max(np.abs(fr3.setpoints[-1].q - home)) < 5.5 * 0.06
    assert fr3.setpoints[-1].q == pytest.approx(fr3.setpoints[-100].q)


def test_a_driver_that_comes_back_after_silence_finds_the_setpoint_at_the_arm(fr3: Bench) -> None:
    plan(fr3, np.full(7, 0.3))
    fr3.tick(30)
    place = fr3.q - 0.09
    for _ in range(40):
        fr3.tick_without_joint_state()
    held(fr3, place, 100)
    assert np.max(np.abs(fr3.setpoints[-1].q - place)) < 0.05
    assert fr3.violations() == []


def test_an_arm_that_stands_still_in_a_slow_trajectory_ends_it_long_before_its_end(fr3: Bench) -> None:
    """A reflex at the beginning of a slow motion, whose tolerances alone would be reached seconds later."""
    run = plan(fr3, np.array([0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]), seconds=10.0)
    fr3.tick(60)
    place = fr3.q.copy()
    held(fr3, place, 70)
    assert run.outcome is not None
    assert "stopped on the way" in run.outcome.text
    assert np.max(np.abs(fr3.setpoints[-1].q - place)) < 0.05
    assert fr3.violations() == []
