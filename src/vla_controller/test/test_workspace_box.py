# SPDX-License-Identifier: Apache-2.0
"""The tool stays in the workspace whatever moves the arm; one that is outside may only come back in."""

from __future__ import annotations

import numpy as np
import pytest
from vla_controller.arm.workspace import WORKSPACE_MARGIN, WORKSPACE_SLACK, Workspace
from vla_controller.bench.rig import Bench
from vla_controller.trajectory.goal import ErrorCode, GoalError, TrajectoryGoal
from vla_core.action import ActionMode, ActionStep

SLACK = WORKSPACE_SLACK + 1e-4  # [m]


def tools(bench: Bench) -> np.ndarray:
    return np.array([bench.controller.kinematics.tool_position(row.q) for row in bench.setpoints])


def excess(bench: Bench) -> np.ndarray:
    return Workspace.of(bench.controller.config).excess(tools(bench))


def drive(bench: Bench, mode: ActionMode, row: np.ndarray, chunks: int = 40) -> None:
    for _ in range(chunks):
        if mode == ActionMode.JOINT_POSITION:
            steps = [ActionStep(joints=bench.q + (k + 1) * row) for k in range(3)]
        else:
            steps = [ActionStep(joints=row / (0.2 if mode == ActionMode.JOINT_VELOCITY else 1.0))] * 3
        bench.send(*steps, mode=mode)
        bench.tick(4)
    bench.tick(20)


@pytest.mark.parametrize("mode", [ActionMode.JOINT_POSITION, ActionMode.JOINT_DELTA, ActionMode.JOINT_VELOCITY])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("joint", range(4))
def test_joint_chunks_keep_the_tool_in_the_box(bench: Bench, mode: ActionMode, joint: int, sign: float) -> None:
    row = np.zeros(len(bench.q))
    row[joint] = 0.1 * sign
    drive(bench, mode, row)
    assert excess(bench).max() <= WORKSPACE_MARGIN + SLACK
    assert bench.controller.chunks_accepted > 0
    assert bench.violations() == []
    if joint == 0:  # the base joint surely leads out of every robot's box
        assert bench.controller.log.count("workspace_clamped") > 0
        assert np.ptp(tools(bench)[:, 1]) > 0.1


def outside(bench: Bench, joint: int = 0) -> Bench:
    """The bench with an arm that was found outside of the box, to one side."""
    start = bench.controller.config.home.copy()
    start[joint] += 1.5
    made = Bench(bench.controller, bench.dt, start=start)
    assert excess(made)[0] > WORKSPACE_MARGIN
    return made


def test_an_arm_outside_comes_back_in_and_goes_no_farther(fr3: Bench) -> None:
    bench = outside(fr3)
    first = excess(bench)[0]
    away = np.zeros(7)
    away[0] = 0.1
    drive(bench, ActionMode.JOINT_DELTA, away, 5)
    assert excess(bench).max() <= first + SLACK
    drive(bench, ActionMode.JOINT_DELTA, -away, 10)
    assert excess(bench)[-1] == 0.0
    assert np.all(np.diff(excess(bench)) <= 1e-3)


def test_a_pose_chunk_brings_a_tool_back_at_the_pace_of_its_steps(fr3: Bench) -> None:
    """Targets are not moved onto a box that is far away: that would be a dash over half a metre."""
    bench = outside(fr3)
    before = bench.pose
    towards = np.array([0.0, -0.02, 0.0])
    assert bench.send(ActionStep(towards)) is None
    bench.tick(30)
    assert np.linalg.norm(bench.pose.position - before.position - towards) < 2e-3
    assert bench.send(ActionStep(-3.0 * towards)) is None
    bench.tick(30)
    assert bench.pose.position[1] <= before.position[1] + SLACK


def test_pose_targets_are_moved_onto_the_box(bench: Bench) -> None:
    upper = bench.controller.config.workspace_upper
    for _ in range(20):
        bench.send(ActionStep(np.array([0.0, 0.1, 0.0])))
        bench.tick(4)
    bench.tick(20)
    assert bench.controller.log.count("workspace_clamped") > 0
    assert abs(bench.pose.position[1] - upper[1]) < 5e-3
    assert excess(bench).max() <= WORKSPACE_MARGIN


def test_home_stays_inside_when_it_begins_there_and_leads_back_from_outside(bench: Bench) -> None:
    rng = np.random.default_rng(7)
    home, box = bench.controller.config.home, Workspace.of(bench.controller.config)
    for _ in range(8):
        start = home + rng.uniform(-0.8, 0.8, len(home))
        start = np.clip(start, bench.controller.config.limits.lower, bench.controller.config.limits.upper)
        clearance = bench.controller.kinematics.clearance
        if clearance is None or clearance.distances(start).min() < 0.02:
            continue
        run = Bench(bench.controller, bench.dt, start=start)
        inside = box.excess(run.pose.position) == 0.0
        assert run.controller.go_home(run.now) is None
        run.tick(200)
        if not run.controller.log.count("collision_ahead"):
            assert np.allclose(run.q, home, atol=1e-3)
        if inside:
            assert excess(run).max() <= WORKSPACE_MARGIN + SLACK


def trajectory(bench: Bench, *positions: np.ndarray) -> TrajectoryGoal:
    times = 4.0 * np.arange(1, 1 + len(positions))
    empty = tuple(np.zeros(0) for _ in positions)
    return TrajectoryGoal(0.0, bench.controller.config.joints, times, positions, empty, empty)


def test_a_trajectory_that_leaves_the_box_is_refused_with_the_place(bench: Bench) -> None:
    aside = bench.q.copy()
    aside[0] += 1.5
    held = bench.q.copy()
    with pytest.raises(GoalError, match=r"the tool leaves the workspace .* at \[.*\] m after \d") as refused:
        bench.controller.start_trajectory(trajectory(bench, aside, held), bench.now)
    assert refused.value.code == ErrorCode.INVALID_GOAL
    assert bench.controller.log.count("trajectory_refused") == 1
    bench.tick(5)
    assert np.array_equal(bench.q, held)


def test_a_trajectory_may_lead_back_into_the_box_and_not_farther_away(fr3: Bench) -> None:
    bench = outside(fr3)
    farther = bench.q.copy()
    farther[0] += 0.5
    with pytest.raises(GoalError, match="leaves the workspace"):
        bench.controller.start_trajectory(trajectory(bench, farther), bench.now)
    bench.controller.start_trajectory(trajectory(bench, bench.controller.config.home), bench.now)
    bench.tick(110)
    assert excess(bench)[-1] == 0.0


def test_grown_box_holds_what_is_outside_and_nothing_farther() -> None:
    box = Workspace(np.zeros(3), np.ones(3))
    rng = np.random.default_rng(1)
    for position in rng.uniform(-2.0, 3.0, (200, 3)):
        room = box.around(position)
        assert room.excess(position) == 0.0
        clamped = np.array([room.clamp(other) for other in rng.uniform(-4.0, 5.0, (20, 3))])
        assert np.all(box.excess(clamped) <= box.excess(position) + 1e-12)
