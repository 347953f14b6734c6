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
    assert np.max(np.abs(fr3.setpoints[-1].q - place)) < 0.31
    assert fr3.setpoints[-1].state == ControllerState.HOLDING
    assert fr3.violations() == []


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
