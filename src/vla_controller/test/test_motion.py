# SPDX-License-Identifier: Apache-2.0
"""Chunks move the arm where they say, when they say, and it stops by itself."""

from __future__ import annotations

import numpy as np
import pytest
from vla_controller.bench.rig import Bench
from vla_controller.motion.setpoint import ControllerState
from vla_core.action import ActionMode, ActionStep, DeltaReference
from vla_core.rotation import Pose, apply_delta, rotation_between


def distance(a: Pose, b: Pose) -> tuple[float, float]:
    turn = rotation_between(a.quaternion, b.quaternion)
    return float(np.linalg.norm(a.position - b.position)), float(np.linalg.norm(turn))


def test_the_first_setpoint_is_where_the_arm_is(bench: Bench) -> None:
    assert np.array_equal(bench.setpoints[0].q, bench.controller.config.home)
    assert not bench.setpoints[0].qd.any()
    assert not bench.setpoints[0].qdd.any()
    assert bench.setpoints[0].state == ControllerState.HOLDING


def test_without_chunks_it_holds_to_the_bit(bench: Bench) -> None:
    bench.tick(50)
    assert all(np.array_equal(row.q, bench.controller.config.home) for row in bench.setpoints)


@pytest.mark.parametrize("reference", list(DeltaReference))
def test_a_delta_moves_the_tool_by_that_delta(bench: Bench, reference: DeltaReference) -> None:
    start = bench.pose
    step = ActionStep(np.array([0.02, -0.01, -0.03]), np.array([0.05, -0.1, 0.2]))
    assert bench.send(step, delta_reference=reference) is None
    bench.tick(25)
    off, turn = distance(bench.pose, apply_delta(start, step.translation, step.rotation_vector))
    assert off < 2e-4
    assert turn < 2e-3
    assert bench.setpoints[-1].state == ControllerState.HOLDING


def test_steps_of_a_chunk_add_up_and_pass_on_time(bench: Bench) -> None:
    start, sent = bench.pose, bench.now
    step = ActionStep(np.array([0.015, 0.01, 0.0]))
    assert bench.send(step, step, step) is None
    poses = []
    while bench.now < sent + 1.5:
        bench.tick()
        poses.append((bench.now, bench.pose))
    for k in (1, 2):
        due = sent + bench.controller.settings.latency_budget + (k - 1) * 0.2
        at_due = min(poses, key=lambda item: abs(item[0] - due))[1]
        assert distance(at_due, apply_delta(start, k * step.translation, np.zeros(3)))[0] < 5e-3
    assert distance(bench.pose, apply_delta(start, 3 * step.translation, np.zeros(3)))[0] < 2e-4


def test_a_pose_is_reached(bench: Bench) -> None:
    target = apply_delta(bench.pose, np.array([-0.03, 0.04, 0.05]), np.array([0.0, 0.0, -0.3]))
    assert bench.send(ActionStep(pose=target), mode=ActionMode.EE_POSE) is None
    bench.tick(30)
    off, turn = distance(bench.pose, target)
    assert off < 2e-4
    assert turn < 2e-3


@pytest.mark.parametrize("mode", [ActionMode.JOINT_POSITION, ActionMode.JOINT_DELTA, ActionMode.JOINT_VELOCITY])
def test_joint_modes_in_any_joint_order(bench: Bench, mode: ActionMode) -> None:
    home = bench.q.copy()
    move = 0.1 * (1 + np.arange(len(home))) / len(home) * np.where(np.arange(len(home)) % 2, 1.0, -1.0)
    value = {ActionMode.JOINT_POSITION: home + move, ActionMode.JOINT_DELTA: move}.get(mode, move / 0.2)
    names = bench.controller.config.joints[::-1]
    sent = bench.send(ActionStep(joints=value[::-1]), mode=mode, joint_names=names, observed_joints=home[::-1])
    assert sent is None
    bench.tick(30)
    assert np.allclose(bench.q, home + move, atol=1e-4)


def test_chunks_one_step_at_a_time_move_without_stops(bench: Bench) -> None:
    start, speed = bench.pose, []
    for k in range(10):
        bench.send(
            ActionStep(pose=apply_delta(start, np.array([0.0, 0.012 * (k + 1), 0.0]), np.zeros(3))),
            mode=ActionMode.EE_POSE,
        )
        for _ in range(4):
            before = bench.pose.position
            bench.tick()
            speed.append((bench.pose.position - before)[1] / bench.dt)
    steady = np.array(speed[10:])
    assert steady.min() > 0.5 * 0.06
    assert steady.max() < 1.5 * 0.06
    assert bench.violations() == []


@pytest.mark.parametrize("how", ["stop", "estop", "new", "stale"])
def test_a_halt_decelerates_from_the_next_tick_on(how: str, fr3: Bench) -> None:
    bench = fr3
    for _ in range(4):
        bench.send(ActionStep(np.array([0.0, 0.1, 0.0])))
        bench.tick(3)
    before = bench.setpoints[-1]
    moving = np.abs(before.qd) > 0.05
    assert moving.any()
    if how == "stop":
        bench.controller.set_instruction("b", stop=True)
    elif how == "estop":
        bench.controller.estop()
    elif how == "new":
        bench.controller.set_instruction("b")
    else:
        bench.now += 0.6
        bench.tick_without_joint_state()
    if how != "stale":
        bench.tick()
    after = bench.setpoints[-1]
    assert after.state == (ControllerState.ESTOPPED if how == "estop" else ControllerState.STOPPING)
    direction = np.sign(before.qd)
    slower = (direction * after.qd < np.abs(before.qd)) | (direction * after.qdd < direction * before.qdd)
    assert np.all(slower[moving])
    bench.tick(10)
    assert bench.controller.at_rest
    assert bench.violations() == []


def test_at_rest_half_a_second_after_the_last_due_step(fr3: Bench) -> None:
    bench = fr3
    for _ in range(3):
        bench.send(ActionStep(np.array([0.0, 0.05, 0.0])))
        bench.tick(4)
    last_due = bench.now - 4 * bench.dt + 0.3
    while bench.now < last_due + 0.5:
        bench.tick()
    assert np.max(np.abs(bench.setpoints[-1].qd)) < 1e-3


def test_the_gripper_moves_when_its_step_is_due_and_nan_leaves_it(bench: Bench) -> None:
    assert np.isnan(bench.setpoints[-1].gripper)
    sent = bench.now
    bench.send(ActionStep(gripper=1.0), ActionStep(gripper=float("nan")), ActionStep(gripper=0.0))
    seen = {}
    while bench.now < sent + 1.2:
        row = bench.tick()
        seen.setdefault(row.gripper, row.stamp)
    assert seen[1.0] == pytest.approx(sent + 0.3, abs=bench.dt + 1e-6)
    assert seen[0.0] == pytest.approx(sent + 0.7, abs=bench.dt + 1e-6)


def test_the_gripper_is_not_lost_between_chunks_that_come_before_they_are_due(bench: Bench) -> None:
    bench.send(ActionStep(gripper=1.0))
    for _ in range(3):
        bench.tick(4)
        bench.send(ActionStep(gripper=float("nan")))
    assert bench.tick().gripper == 1.0


def test_late_steps_are_skipped_and_counted(fixed: Bench) -> None:
    bench, start = fixed, fixed.pose
    assert bench.send(*[ActionStep(np.array([0.01, 0.0, 0.0]))] * 4, stamp=bench.now - 0.6) is None
    assert bench.controller.intake.steps_late == 2
    bench.tick(30)
    assert distance(bench.pose, apply_delta(start, np.array([0.04, 0.0, 0.0]), np.zeros(3)))[0] < 2e-4


def test_a_target_outside_the_workspace_is_moved_onto_it_and_counted(bench: Bench) -> None:
    config = bench.controller.config
    for _ in range(12):
        bench.send(ActionStep(np.array([0.0, 0.06, 0.0])))
        bench.tick(4)
    bench.tick(20)
    assert bench.controller.log.count("workspace_clamped") > 0
    assert bench.pose.position[1] <= config.workspace_upper[1] + 1e-3
    assert bench.violations() == []


def test_it_goes_home_within_the_limits_and_waits_for_a_new_instruction(bench: Bench) -> None:
    for _ in range(5):
        bench.send(ActionStep(np.array([0.0, 0.05, -0.02]), np.array([0.0, 0.0, 0.3])))
        bench.tick(4)
    assert bench.controller.go_home(bench.now) is None
    bench.tick(3)
    refusal = bench.send(ActionStep())
    assert refusal is not None
    assert refusal.name == "stopped"
    bench.tick(60)
    assert np.allclose(bench.q, bench.controller.config.home, atol=1e-4)
    assert bench.setpoints[-1].state == ControllerState.HOLDING
    assert bench.violations() == []
