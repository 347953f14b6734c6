# SPDX-License-Identifier: Apache-2.0
"""The network to the arm is cut in motion and comes back: named, held, and driven again after ~/recover."""

import numpy as np
import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from vla_core.robot import load_robot_config

pytestmark = pytest.mark.node
ROBOT = load_robot_config("fr3")
STATES, ARM, RECOVER = "/joint_states", f"/{ROBOT.arm_command_topic}", "/franka_driver_node/recover"
LONG_S = 90.0  # [s] in which libfranka notices, and a program that stands in for the arm starts


def trajectory(seconds: int, positions: np.ndarray) -> JointTrajectory:
    message = JointTrajectory(joint_names=list(ROBOT.joints))
    point = JointTrajectoryPoint(positions=positions.tolist(), velocities=[0.0] * len(positions))
    point.time_from_start.sec = seconds
    message.points = [point]
    return message


def joints(bench) -> np.ndarray:
    bench.received[STATES].clear()
    bench.spin_until(lambda: bench.received[STATES], LONG_S)
    return np.array(bench.received[STATES][-1].position[:7])


def recover(bench) -> Trigger.Response:
    client = bench.node.create_client(Trigger, RECOVER)
    assert client.wait_for_service(timeout_sec=40.0)
    future = client.call_async(Trigger.Request())
    bench.spin_until(future.done, LONG_S)
    bench.node.destroy_client(client)
    return future.result()


def test_an_arm_whose_network_was_cut_is_driven_again_after_its_recovery(franka_sim, bench, start_node) -> None:
    module, address = "vla_hardware.franka_driver_node", franka_sim.address
    node = start_node(module, robot_ip=address, hand=False, realtime="ignore", follow_arm_clock=True, priority=False)
    node.wait_for("connected to the FR3")
    bench.listen(JointState, STATES)
    assert joints(bench) == pytest.approx(ROBOT.home, abs=0.02)
    bench.send(ARM, trajectory(5, ROBOT.home + 0.2))
    bench.spin(1.0)
    franka_sim.process.kill()
    franka_sim.process.wait()
    bench.diagnosis("franka_driver_node: arm", "the arm is held")
    refused = recover(bench)
    assert not refused.success
    assert node.process.poll() is None
    again = type(franka_sim)(address)
    try:
        answer = recover(bench)
        assert answer.success, answer.message
        here = joints(bench)
        bench.spin(0.5)
        assert joints(bench) == pytest.approx(here, abs=0.005)  # what was followed before is forgotten
        end = here + 0.1
        bench.send(ARM, trajectory(2, end))
        bench.spin_until(lambda: np.abs(joints(bench) - end).max() < 0.005)
    finally:
        again.process.kill()
        again.process.wait()
