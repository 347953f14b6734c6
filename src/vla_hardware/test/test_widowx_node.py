# SPDX-License-Identifier: Apache-2.0
"""widowx_driver_node over DDS, against emulated servos."""

from __future__ import annotations

import signal
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from vla_core.robot import load_robot_config
from vla_hardware.widowx import table
from vla_hardware.widowx.emulator import EmulatedBus

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(
        find_spec("dynamixel_sdk") is None, reason="dynamixel-sdk is not installed: requirements/widowx.txt"
    ),
]
MODULE = "vla_hardware.widowx_driver_node"
ROBOT = load_robot_config("wx250s")
START = dict(zip(ROBOT.joints, ROBOT.home, strict=True))
STATES, ARM = "/joint_states", f"/{ROBOT.arm_command_topic}"


def trajectory(seconds: float, positions: np.ndarray) -> JointTrajectory:
    message = JointTrajectory(joint_names=list(ROBOT.joints))
    point = JointTrajectoryPoint(positions=positions.tolist(), velocities=[0.0] * len(positions))
    point.time_from_start.sec, point.time_from_start.nanosec = divmod(round(seconds * 1e9), 10**9)
    message.points = [point]
    return message


def joints(bench) -> np.ndarray:
    bench.received[STATES].clear()
    bench.spin_until(lambda: bench.received[STATES])
    return np.array(bench.received[STATES][-1].position)


def call(bench, name: str):
    client = bench.node.create_client(Trigger, f"/widowx_driver_node/{name}")
    assert client.wait_for_service(timeout_sec=40.0)
    future = client.call_async(Trigger.Request())
    bench.spin_until(future.done)
    bench.node.destroy_client(client)
    return future.result()


def test_it_moves_names_faults_and_lowers_the_arm_on_demand(bench, start_node) -> None:
    with EmulatedBus(lambda servo: START.get(servo.joint, 0.5)) as bus:
        node = start_node(MODULE, port=bus.port, reply_time=0.25, watchdog=2.5, priority=False)
        node.wait_for("settings written to the servos")
        bench.listen(JointState, STATES)
        assert joints(bench)[:6] == pytest.approx(ROBOT.home, abs=0.01)
        end = ROBOT.home + np.array([0.2, 0.1, -0.1, 0.1, -0.1, 0.2])
        bench.send(ARM, trajectory(2.0, end))
        bench.spin_until(lambda: np.abs(joints(bench)[:6] - end).max() < 0.01)
        assert bench.received[STATES][-1].name == [*ROBOT.joints, "left_finger", "right_finger"]
        bus.servos[6].fail(5)
        bench.diagnosis("widowx_driver_node: arm", "overload")
        bench.send(ARM, trajectory(1.0, ROBOT.home))
        bench.diagnosis("widowx_driver_node: commands", "held after overload")
        assert call(bench, "recover").success
        assert not call(bench, "torque_off").success
        assert call(bench, "sleep").success
        bench.send(ARM, trajectory(1.0, ROBOT.home))
        bench.diagnosis("widowx_driver_node: commands", "the arm is lowered")
        bench.spin_until(lambda: abs(joints(bench)[1] + 1.8) < 0.03)
        assert call(bench, "torque_off").success
        assert bus.servos[2].get(table.TORQUE_ENABLE) == 0
        assert node.stop(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({"port": "/dev/ttyNone"}, "no such port"), ({"robot_config": "fr3"}, "this driver knows: wx250s")],
)
def test_what_cannot_be_driven_ends_with_2_and_says_why(start_node, parameters, said) -> None:
    node = start_node(MODULE, **parameters)
    assert node.process.wait(timeout=40) == 2
    assert said in node.output
