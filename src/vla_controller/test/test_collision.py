# SPDX-License-Identifier: Apache-2.0
"""The arm keeps clear of itself and of the table, whoever asks it not to; and near singularities it slows down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mink
import mujoco
import numpy as np
import pytest
from vla_controller.arm.arm_model import arm_model
from vla_controller.arm.collision import Clearance
from vla_controller.arm.kinematics import Kinematics
from vla_controller.arm_controller import ArmController
from vla_controller.bench.rig import Bench
from vla_controller.motion.setpoint import ControllerState
from vla_core.action import ActionMode, ActionStep
from vla_core.robot import RobotConfig, RobotConfigError, load_robot_config
from vla_core.rotation import apply_delta, rotation_between

DT = 0.05


@pytest.fixture
def clearance(config: RobotConfig) -> Clearance:
    assert config.collision is not None
    return Clearance(arm_model(config), config.collision)


def anywhere(config: RobotConfig, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(config.limits.lower, config.limits.upper)


def test_home_is_clear_and_somewhere_the_arm_would_touch(config: RobotConfig, clearance: Clearance) -> None:
    rng = np.random.default_rng(0)
    assert clearance.distances(config.home).min() > 0.05
    assert min(clearance.distances(anywhere(config, rng)).min() for _ in range(300)) < -0.02


def test_what_is_known_of_a_neighbourhood_is_never_too_good(config: RobotConfig, clearance: Clearance) -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        q = anywhere(config, rng)
        clearance.near(q, q, 0.0)
        other = q + rng.uniform(-0.09, 0.09, len(q))
        near = set(clearance.near(np.minimum(q, other), np.maximum(q, other), 0.02))
        assert {k for k, distance in enumerate(clearance.distances(other)) if distance <= 0.02} <= near


def test_gradients_are_those_of_the_distances(config: RobotConfig, clearance: Clearance) -> None:
    rng, model = np.random.default_rng(2), arm_model(config)
    data, gaps, checked = mujoco.MjData(model), list(range(len(clearance.gaps))), 0
    for _ in range(10):
        q = anywhere(config, rng)
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        rows, distances = clearance.rows(data, gaps)
        for row, gap, distance in zip(rows, clearance.gaps, distances, strict=True):
            if distance + gap.margin < 0.03:
                continue
            index = clearance.gaps.index(gap)
            way = rng.normal(size=len(q)) * 1e-5
            change = clearance.distances(q + way)[index] - clearance.distances(q - way)[index]
            assert row @ way == pytest.approx(0.5 * change, abs=3e-8)
            checked += 1
    assert checked > 50


@pytest.mark.parametrize("robot", ["fr3", "panda", "wx250s"])
def test_joints_that_lead_into_the_table_stop_before_it(robot: str) -> None:
    everywhere = {"workspace_lower": np.full(3, -2.0), "workspace_upper": np.full(3, 2.0)}
    bench = Bench(ArmController(replace(load_robot_config(robot), **everywhere), DT), DT)
    shoulder = 1
    for _ in range(30):
        target = bench.q.copy()
        target[shoulder] += 0.3
        bench.send(ActionStep(joints=target), mode=ActionMode.JOINT_POSITION)
        bench.tick(4)
    bench.tick(20)
    assert bench.controller.log.count("collision_ahead") > 0
    assert -1e-3 < bench.least_clearance() < 0.03
    assert bench.controller.at_rest
    assert bench.violations() == []


def test_inverse_kinematics_keeps_clear_of_what_is_in_the_way(config: RobotConfig, clearance: Clearance) -> None:
    kinematics, q = Kinematics(config), config.home
    home, pressed = kinematics.fk(q), False
    for depth in np.linspace(0.0, home.position[2] + 0.15, 80):  # the tool is asked through the table
        tilt = np.array([0.0, 0.6 * depth, 0.0])
        q, _, _ = kinematics.ik(q, apply_delta(home, np.array([0.0, 0.0, -depth]), tilt), 3)
        assert clearance.distances(q).min() > -2e-3
        pressed = pressed or clearance.distances(q).min() < 0.01
    assert pressed


def test_an_arm_found_touching_may_leave_but_not_go_further(fr3: Bench) -> None:
    bench, clearance = fr3, fr3.controller.kinematics.clearance
    assert clearance is not None
    inside = bench.controller.config.home.copy()
    while clearance.distances(inside).min() > -0.005:
        inside[1] += 0.01
    for way, moves in ((0.2, False), (-0.2, True)):
        bench = Bench(bench.controller, bench.dt, start=inside)
        target = inside.copy()
        target[1] += way
        assert bench.send(ActionStep(joints=target), mode=ActionMode.JOINT_POSITION) is None
        bench.tick(20)
        assert np.allclose(bench.q, target, atol=1e-3) == moves
        assert moves or np.allclose(bench.q, inside, atol=1e-6)


def test_through_a_wrist_singularity_no_joint_races(make_bench: Callable[[str], Bench]) -> None:
    bench = make_bench("wx250s")
    start, kinematics, least = bench.pose, bench.controller.kinematics, np.inf
    for k in range(60):  # until wrist and forearm are in line, and there turned about every axis
        share = min(k, 20) / 20.0
        tilt = np.array([0.0, -1.5 * share, 0.0])
        turn = 0.2 * share * np.array([np.sin(0.5 * k), np.sin(0.3 * k), np.cos(0.4 * k)])
        pose = apply_delta(apply_delta(start, share * np.array([0.05, 0.0, 0.12]), tilt), np.zeros(3), turn)
        assert bench.send(ActionStep(pose=pose), mode=ActionMode.EE_POSE) is None
        for _ in range(4):
            least = min(least, kinematics.singularity(bench.tick().q))
    assert least < 0.01
    assert bench.violations() == []
    bench.tick(20)
    assert bench.controller.at_rest
    assert np.linalg.norm(bench.pose.position - pose.position) < 6e-3


def test_a_stretched_arm_comes_back(fr3: Bench) -> None:
    bench, start = fr3, fr3.pose
    least = np.inf
    for k in [*range(1, 12), *range(10, -1, -1)]:
        away = np.array([0.03 * k, 0.0, 0.035 * k])
        bench.send(ActionStep(pose=apply_delta(start, away, np.zeros(3))), mode=ActionMode.EE_POSE)
        least = min(least, bench.controller.kinematics.singularity(bench.tick(4).q))
    bench.tick(25)
    assert least < 0.01  # where nothing more than straight is left
    elbow = np.array([row.q[[0, 2]] for row in bench.setpoints])
    assert np.max(np.abs(elbow)) < 0.05  # it does not swing sideways for want of speed
    assert np.linalg.norm(bench.pose.position - start.position) < 1e-3
    assert np.linalg.norm(rotation_between(bench.pose.quaternion, start.quaternion)) < 5e-3
    assert bench.violations() == []
    assert bench.setpoints[-1].state == ControllerState.HOLDING


def test_steps_of_inverse_kinematics_end_where_mink_ends(config: RobotConfig) -> None:
    bare, rng = replace(config, collision=None), np.random.default_rng(6)
    kinematics, model = Kinematics(bare), arm_model(bare)
    frame = mink.FrameTask("tcp", "site", position_cost=1.0, orientation_cost=0.3, lm_damping=1e-3)
    posture = mink.PostureTask(model, cost=3e-3)
    posture.set_target(config.home)
    limits = [mink.ConfigurationLimit(model, gain=1.0)]
    for _ in range(5):
        target = apply_delta(kinematics.fk(config.home), rng.uniform(-0.04, 0.04, 3), rng.uniform(-0.2, 0.2, 3))
        x, y, z, w = target.quaternion
        frame.set_target(mink.SE3(np.array([w, x, y, z, *target.position])))
        configuration = mink.Configuration(model, q=config.home)
        for _ in range(60):
            step = mink.solve_ik(configuration, [frame, posture], 1.0, "daqp", damping=1e-6, limits=limits)
            configuration.integrate_inplace(step, 1.0)
        q, off, _ = kinematics.ik(config.home, target, iterations=60)
        assert off < 1e-4
        assert np.allclose(kinematics.fk(q).position, kinematics.fk(configuration.q).position, atol=2e-4)
        assert np.allclose(q, configuration.q, atol=0.03)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("body: fr3_link5, start", "body: fr3_link9, start", "fr3_link5"),
        ("body: fr3_link0, start", "body: pedestal, start", "fr3_link0"),
        ("table: [fr3_link5", "table: [fr3_link4", "fr3_link4"),
    ],
)
def test_a_collision_model_that_does_not_fit_is_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    source = Path(__file__).parents[3] / "config" / "robots" / "fr3.yaml"
    path = tmp_path / "odd.yaml"
    path.write_text(source.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(RobotConfigError, match=said):
        Kinematics(load_robot_config(str(path)))
