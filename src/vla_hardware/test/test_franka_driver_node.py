# SPDX-License-Identifier: Apache-2.0
"""franka_driver_node over libfranka's protocol against franky-sim: follows, grasps, names a reflex, holds, recovers."""

import signal
import time

import numpy as np
import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from vla_core.robot import load_robot_config

pytestmark = pytest.mark.node
MODULE = "vla_hardware.franka_driver_node"
ROBOT = load_robot_config("fr3")
STATES, ARM, HAND = "/joint_states", f"/{ROBOT.arm_command_topic}", f"/{ROBOT.gripper_command_topic}"
FINGER = ROBOT.gripper.joint


def trajectory(names, *points: tuple[float, list[float]], effort: float = 0.0) -> JointTrajectory:
    message = JointTrajectory(joint_names=list(names))
    for seconds, positions in points:
        point = JointTrajectoryPoint(positions=[float(p) for p in positions], velocities=[0.0] * len(positions))
        point.effort = [effort] if effort else []
        point.time_from_start.sec, point.time_from_start.nanosec = divmod(round(seconds * 1e9), 10**9)
        message.points.append(point)
    return message


def joints(bench) -> np.ndarray:
    """The arm's joints of a message that comes from now on."""
    bench.received[STATES].clear()
    bench.spin_until(lambda: bench.received[STATES])
    return np.array(bench.received[STATES][-1].position)


def call(bench, name: str):
    client = bench.node.create_client(Trigger, name)
    assert client.wait_for_service(timeout_sec=40.0)
    future = client.call_async(Trigger.Request())
    bench.spin_until(future.done)
    bench.node.destroy_client(client)
    return future.result()


@pytest.fixture(scope="module")
def driver(franka_sim, start_node):
    node = start_node(MODULE, robot_ip=franka_sim.address, realtime="ignore", follow_arm_clock=True, priority=False)
    node.wait_for("connected to the FR3")
    return node


@pytest.fixture
def rig(driver, bench):
    bench.listen(JointState, STATES)
    return bench


def test_the_arm_follows_a_trajectory_while_the_fingers_grasp(rig) -> None:
    start = joints(rig)
    assert start[:7] == pytest.approx(ROBOT.home, abs=0.02)
    end = ROBOT.home + np.array([0.2, 0.1, 0.0, 0.1, 0.0, 0.1, 0.2])
    rig.send(HAND, trajectory([FINGER], (0.0, [0.0]), effort=30.0))
    rig.send(ARM, trajectory(ROBOT.joints, (2.0, end)))
    rig.spin_until(lambda: np.abs(joints(rig)[:7] - end).max() < 0.005)
    rig.spin_until(lambda: joints(rig)[7] < 0.002)
    names = rig.received[STATES][-1].name
    assert names == [*ROBOT.joints, FINGER, ROBOT.gripper.mimic_joint]


def test_fingers_that_are_turned_round_in_motion_obey_the_latest_goal(rig) -> None:
    for goal, reached in ((0.04, 0.039), (0.0, 0.03), (0.04, 0.039), (0.0, 0.002)):
        rig.send(HAND, trajectory([FINGER], (0.0, [goal])))
        rig.spin_until(lambda goal=goal, reached=reached: (joints(rig)[7] - reached) * (1 if goal else -1) > 0.0)
    assert joints(rig)[7] < 0.002


def test_trajectories_that_are_no_command_for_this_arm_are_refused_by_name(rig) -> None:
    before = joints(rig)
    faults = {
        "joint_names": trajectory(["panda_joint1"], (1.0, [0.0])),
        "beyond_stop": trajectory(ROBOT.joints, (1.0, [9.0, *ROBOT.home[1:]])),
        "too_far": trajectory(ROBOT.joints, (0.0, ROBOT.home + 0.5), (1.0, ROBOT.home + 0.5)),
        "not_finite": trajectory(ROBOT.joints, (1.0, [float("nan")] * 7)),
    }
    for fault in faults.values():
        rig.send(ARM, fault)
    status = rig.diagnosis("franka_driver_node: commands", "refused")
    values = {item.key: item.value for item in status.values}
    assert set(faults) <= set(values)
    assert joints(rig)[:7] == pytest.approx(before[:7], abs=0.03)


def test_a_reflex_is_named_and_the_arm_held_until_it_is_recovered(rig, franka_sim) -> None:
    rig.send(ARM, trajectory(ROBOT.joints, (3.0, ROBOT.home)))
    rig.spin(0.5)
    franka_sim.tell("reflex cartesian_reflex")
    rig.diagnosis("franka_driver_node: arm", "cartesian_reflex")
    held = joints(rig)
    rig.send(ARM, trajectory(ROBOT.joints, (1.0, ROBOT.home)))
    rig.diagnosis("franka_driver_node: commands", "held after cartesian_reflex")
    assert joints(rig)[:7] == pytest.approx(held[:7], abs=0.005)
    franka_sim.tell("mode UserStopped")
    refused = call(rig, "/franka_driver_node/recover")
    assert not refused.success  # there is another cause
    franka_sim.tell("mode Idle")
    assert call(rig, "/franka_driver_node/recover").success
    assert joints(rig)[:7] == pytest.approx(held[:7], abs=0.005)
    rig.send(ARM, trajectory(ROBOT.joints, (1.5, ROBOT.home)))
    rig.spin_until(lambda: np.abs(joints(rig)[:7] - ROBOT.home).max() < 0.005)


def test_a_second_driver_that_finds_locked_joints_ends_with_2(rig, driver, franka_sim, start_node) -> None:
    """And the first one, killed in motion, leaves an arm at rest."""
    rig.send(ARM, trajectory(ROBOT.joints, (5.0, ROBOT.home + 0.3)))
    rig.spin(1.0)
    assert driver.stop(signal.SIGKILL) != 0
    franka_sim.tell("mode Other")
    second = start_node(MODULE, robot_ip=franka_sim.address)
    assert second.process.wait(timeout=40) == 2
    assert "unlock the joints" in second.output
    franka_sim.tell("mode Idle")
    third = start_node(MODULE, robot_ip=franka_sim.address, read_only=True, hand=False, priority=False)
    third.wait_for("reading only")
    rig.spin_until(lambda: len(joints(rig)) == len(ROBOT.joints))  # without fingers: of the third driver
    first = joints(rig)
    time.sleep(0.5)
    assert joints(rig) == pytest.approx(first, abs=1e-3)
    assert third.stop(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"robot_ip": "127.99.98.97"}, "Activate FCI"),
        ({"robot_ip": "127.0.0.1", "collision_torques": "[1.0]"}, "valid: 7 finite numbers"),
    ],
)
def test_what_cannot_be_driven_ends_with_2_and_says_why(start_node, parameters, said) -> None:
    node = start_node(MODULE, **parameters)
    assert node.process.wait(timeout=40) == 2
    assert said in node.output
