# SPDX-License-Identifier: Apache-2.0
"""Kinematics against the robots' published geometry, and inverse against forward."""

from __future__ import annotations

import numpy as np
import pytest
from vla_controller.arm.kinematics import Kinematics
from vla_core.robot import RobotConfig, RobotConfigError, load_robot_config
from vla_core.rotation import Pose, apply_delta, from_rotation_vector, multiply, slerp, to_rotation_vector


def matrix(q: np.ndarray) -> np.ndarray:
    return np.array([_turn(q, axis) for axis in np.eye(3)]).T


def _turn(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    return multiply(multiply(q, np.array([*v, 0.0])), q * [-1, -1, -1, 1])[:3]


def test_the_tool_points_down_over_the_table_at_home(config: RobotConfig) -> None:
    pose = Kinematics(config).fk(config.home)
    axes = matrix(pose.quaternion)
    assert np.allclose(axes[:, 2], [0, 0, -1], atol=1e-3)
    assert abs(axes[1, 1]) > 0.999  # the fingers open along y
    assert np.all(pose.position > config.workspace_lower)
    assert np.all(pose.position < config.workspace_upper)


def test_wx250s_at_zero_and_by_its_screw_axes() -> None:
    config = load_robot_config("wx250s")
    kinematics = Kinematics(config)
    assert np.allclose(kinematics.fk(np.zeros(6)).position, [0.458325, 0, 0.36065], atol=1e-9)
    screws = np.array([
        [0, 0, 1, 0, 0, 0], [0, 1, 0, -0.11065, 0, 0], [0, 1, 0, -0.36065, 0, 0.04975],
        [1, 0, 0, 0, 0.36065, 0], [0, 1, 0, -0.36065, 0, 0.29975], [1, 0, 0, 0, 0.36065, 0],
    ])  # fmt: skip
    q = np.array([0.3, -0.4, 0.5, -0.6, 0.7, -0.8])
    transform = np.eye(4)
    for screw, angle in zip(screws, q, strict=True):
        transform = transform @ _screw(screw, angle)
    transform = transform @ np.block(
        [[np.eye(3), np.array([[0.458325], [0], [0.36065]])], [np.zeros((1, 3)), np.ones((1, 1))]]
    )
    pose = kinematics.fk(q)
    assert np.allclose(pose.position, transform[:3, 3], atol=1e-6)
    assert np.allclose(matrix(pose.quaternion)[:, 2], transform[:3, 0], atol=1e-6)  # tool z is the link's x
    assert np.allclose(matrix(pose.quaternion)[:, 1], transform[:3, 1], atol=1e-6)


def _screw(screw: np.ndarray, angle: float) -> np.ndarray:
    w, v = screw[:3], screw[3:]
    rotation = matrix(from_rotation_vector(w * angle))
    point = np.cross(w, v)  # on the axis
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = rotation, point - rotation @ point
    return transform


def test_inverse_undoes_forward_and_keeps_the_limits(config: RobotConfig) -> None:
    kinematics = Kinematics(config)
    rng = np.random.default_rng(0)
    for _ in range(30):
        q = np.clip(
            config.home + rng.uniform(-0.25, 0.25, len(config.joints)), config.limits.lower, config.limits.upper
        )
        target = kinematics.fk(q)
        found, off, turn = kinematics.ik(config.home, target, iterations=40)
        assert off < 1e-4
        assert turn < 1e-3
        assert np.all(found >= config.limits.lower)
        assert np.all(found <= config.limits.upper)
        assert np.allclose(kinematics.fk(found).position, target.position, atol=1e-4)


def test_an_unreachable_target_gives_a_finite_nearest_pose_inside_the_limits(config: RobotConfig) -> None:
    kinematics = Kinematics(config)
    far = Pose(np.array([2.0, 0.5, 1.0]), kinematics.fk(config.home).quaternion)
    q = config.home
    for _ in range(20):
        q, off, _ = kinematics.ik(q, far)
        assert np.all(np.isfinite(q))
        assert np.all(q >= config.limits.lower)
        assert np.all(q <= config.limits.upper)
    assert off > 0.5


def test_rotations() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        a, b = (from_rotation_vector(rng.uniform(-1.5, 1.5, 3)) for _ in range(2))
        assert np.allclose(from_rotation_vector(to_rotation_vector(a)), a * np.sign(a[3]), atol=1e-9)
        for end, fraction in ((a, 0.0), (b, 1.0)):
            assert abs(slerp(a, b, fraction) @ end) == pytest.approx(1.0)
        half = slerp(a, b, 0.5)
        assert abs(half @ a) == pytest.approx(abs(half @ b))
    pose = apply_delta(Pose(np.ones(3), a), np.array([1.0, 0, 0]), np.array([0, 0, np.pi / 2]))
    assert np.allclose(pose.position, [2, 1, 1])
    assert np.allclose(pose.quaternion, multiply(from_rotation_vector(np.array([0, 0, np.pi / 2])), a))


def test_robot_configs_are_refused_with_what_is_valid(tmp_path: object) -> None:
    with pytest.raises(RobotConfigError, match="unknown robot 'ur5'; valid: fr3, panda, ur5e, wx250s"):
        load_robot_config("ur5")
    with pytest.raises(RobotConfigError, match="is not a file"):
        load_robot_config("/nowhere/robot.yaml")


def test_gripper_width_and_opening(config: RobotConfig) -> None:
    gripper = config.gripper
    assert 2 * gripper.finger_position(0.0) == pytest.approx(gripper.min_width)
    assert 2 * gripper.finger_position(1.0) == pytest.approx(gripper.max_width)
    for opening in (0.0, 0.3, 1.0):
        assert gripper.opening(gripper.finger_position(opening)) == pytest.approx(opening)
