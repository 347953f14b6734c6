# SPDX-License-Identifier: Apache-2.0
"""The arm in physics follows its commands; the world's frames are what they say."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vla_core.robot import load_robot_config
from vla_core.trajectory.spline import TrajectoryPoint
from vla_sim.world.robots import ROBOTS, UnknownRobotError, get_robot
from vla_sim.world.world import World

GENTLE = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def offset_home(world: World, offset: float) -> np.ndarray:
    return np.array(world.robot.home) + offset


def arm(world: World) -> np.ndarray:
    return world.joint_state()[1][: len(world.robot.joint_names)]


@GENTLE
@given(st.floats(-0.2, 0.2))
def test_arm_arrives_where_it_is_sent(world, offset):
    target = offset_home(world, offset)
    world.command_arm([TrajectoryPoint(0.5, target, np.zeros_like(target))])
    world.step(1.5)
    np.testing.assert_allclose(arm(world), target, atol=0.01)


def test_gripper_width_spans_open_to_closed(world):
    assert world.gripper_width == pytest.approx(2 * world.robot.finger_open, abs=1e-3)
    world.command_gripper(world.robot.finger_closed)
    world.step(1.0)
    assert world.gripper_width == pytest.approx(2 * world.robot.finger_closed, abs=2e-3)
    world.command_gripper(1.0)
    world.step(1.0)
    assert world.gripper_width == pytest.approx(2 * world.robot.finger_open, abs=2e-3)


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3])
def test_commands_take_effect_after_the_action_delay(world, delay):
    world.action_delay = delay
    before = arm(world)
    target = offset_home(world, 0.2)
    world.command_arm([TrajectoryPoint(0.1, target, np.zeros_like(target))])
    world.step(delay)
    np.testing.assert_allclose(arm(world), before, atol=2e-3)
    world.step(0.1)
    assert np.all(np.abs(arm(world) - before) > 0.05)


def test_a_command_after_the_delay_is_lowered_overtakes_the_waiting_ones(world):
    """L5: commands were taken in the order of arrival, so a new one waited behind older ones with a longer delay."""
    start = arm(world)
    for delay, offset in ((0.5, 0.3), (0.0, 0.1)):
        world.action_delay = delay
        target = start + offset
        world.command_arm([TrajectoryPoint(0.2, target, np.zeros_like(target))])
        world.command_gripper(world.robot.finger_travel(0.5 if delay else 0.0))
    world.step(0.4)
    np.testing.assert_allclose(arm(world), start + 0.1, atol=0.02)
    world.step(0.5)  # the older command falls due and stays without effect
    np.testing.assert_allclose(arm(world), start + 0.1, atol=0.02)
    assert world.gripper_width == pytest.approx(2 * world.robot.finger_closed, abs=2e-3)


def test_facts_of_the_robot_are_those_of_its_file(world):
    config = load_robot_config(world.robot.name)
    robot = world.robot
    assert (robot.base_frame, robot.joint_names) == (config.base_frame, config.joints)
    assert robot.home == tuple(config.home)
    assert 2 * robot.finger_open == pytest.approx(config.gripper.max_width)
    assert 2 * robot.finger_closed == pytest.approx(config.gripper.min_width)
    for name, limit in zip(robot.finger_joint_names, (config.gripper.joint, config.gripper.mimic_joint), strict=True):
        assert name == limit
        low, high = world.model.joint(name).range
        assert low <= robot.finger_closed < robot.finger_open <= high


def test_arm_holds_at_home_and_tool_points_down(world):
    before, pose = arm(world), world.tcp_pose()
    world.step(1.0)
    np.testing.assert_allclose(arm(world), before, atol=5e-3)
    x, y, z, w = world.tcp_pose()[3:]
    down = 1 - 2 * (x * x + y * y)  # z component of the tool's z axis
    assert down == pytest.approx(-1.0, abs=1e-3)
    assert w * w + x * x + y * y + z * z == pytest.approx(1.0)
    assert np.hypot(pose[0] - world.robot.table_center_x, pose[1]) < 0.05


def test_hand_reaches_all_of_the_area_where_objects_lie(world, reach):
    robot = world.robot
    for sx in (-1, 0, 1):
        for sy in (-1, 0, 1):
            x, y = robot.table_center_x + sx * robot.reach_x, sy * robot.reach_y
            joints = reach(world, (x, y, 0.02))
            limits = np.array([world.model.joint(name).range for name in robot.joint_names])
            assert np.all(joints > limits[:, 0])
            assert np.all(joints < limits[:, 1])


def test_home_is_within_the_stops_and_the_names_are_those_of_the_model(world):
    for name, value in zip(world.robot.joint_names, world.robot.home, strict=True):
        low, high = world.model.joint(name).range
        assert low < value < high
    assert world.joint_state()[0] == world.robot.joint_names + world.robot.finger_joint_names


def test_unknown_robot_is_refused_with_the_valid_ones():
    with pytest.raises(UnknownRobotError) as caught:
        get_robot("ur5")
    assert all(name in str(caught.value) for name in (*ROBOTS, "ur5"))
