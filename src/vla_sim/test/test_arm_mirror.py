# SPDX-License-Identifier: Apache-2.0
"""The simulated arm moved by the joint states of a driver: it stands where they say, and the fingers close."""

import socket
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")

from sensor_msgs.msg import JointState
from vla_sim.ros.arm_mirror import ArmMirror
from vla_sim.world.simulation import Simulation
from vla_sim.world.world import World

STEPS = 5  # physics steps between two joint states of 100 Hz


class TestNode:
    """Keeps the callback of the subscription, and what was logged."""

    __test__ = False

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def create_subscription(self, kind, topic, callback, qos) -> None:
        self.topic, self.callback = topic, callback

    def get_logger(self):
        return SimpleNamespace(warning=lambda text, **_: self.warnings.append(text))


@pytest.fixture
def rig():
    node, simulation = TestNode(), Simulation(World("fr3"))
    return node, simulation, ArmMirror(node, simulation, "joint_states")


def state(simulation: Simulation, q, qd, finger: float = 0.04, names=None) -> JointState:
    robot = simulation.world.robot
    return JointState(
        name=list(names or (*robot.joint_names, robot.finger_joint_names[0])),
        position=[*map(float, q), finger],
        velocity=[*map(float, qd), 0.0],
    )


def test_the_arm_follows_joint_states_and_the_fingers_close(rig) -> None:
    node, simulation, _ = rig
    home = np.array(simulation.world.robot.home)
    start = home + 0.3
    amplitude, w = 0.2, 2.0
    for k in range(100):
        t = 0.01 * k
        q, qd = start + amplitude * np.sin(w * t), np.full(7, amplitude * w * np.cos(w * t))
        node.callback(state(simulation, q, qd, finger=0.0))
        simulation.advance(STEPS, round(1e7 * (k + 1)))
    reached = simulation.joints()
    assert reached.positions[:7] == pytest.approx(start + amplitude * np.sin(w * 1.0), abs=0.01)
    assert reached.positions[7] < 0.005


def test_what_the_fingers_press_on_is_reported_to_the_hand_that_closes_them() -> None:
    node, simulation = TestNode(), Simulation(World("fr3"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hand:
        hand.bind(("127.0.0.1", 0))
        hand.settimeout(5.0)
        mirror = ArmMirror(node, simulation, "joint_states", "127.0.0.1")
        mirror._hand = hand.getsockname()
        home = np.array(simulation.world.robot.home)
        told = []
        for effort, finger in ((0.0, 0.04), (-20.0, 0.04), (-20.0, 0.0), (0.0, 0.0)):
            for k in range(60):
                message = state(simulation, home, np.zeros(7), finger)
                message.effort = [0.0] * 7 + [effort]
                node.callback(message)
                simulation.advance(STEPS, k)
                told.append(float(hand.recv(64)))
    assert told[59] == 0.0  # open, without force
    assert 0.04 < max(told[60:70]) <= 0.081  # pressed: the fingers are on their way
    assert told[179] == 0.0  # closed on nothing
    assert told[-1] == 0.0


def test_the_first_joint_state_places_the_arm(rig) -> None:
    node, simulation, _ = rig
    q = np.array(simulation.world.robot.home) + 0.2
    node.callback(state(simulation, q, np.zeros(7)))
    assert simulation.joints().positions[:7] == pytest.approx(q)


def test_joint_states_of_another_arm_move_nothing_and_are_told(rig) -> None:
    node, simulation, mirror = rig
    before = simulation.joints().positions
    node.callback(state(simulation, np.ones(7), np.ones(7), names=[f"panda_joint{i}" for i in range(8)]))
    simulation.advance(STEPS, 1)
    assert mirror.states == 0
    assert simulation.joints().positions == pytest.approx(before, abs=1e-3)
    assert "panda_joint0" in node.warnings[0]
    assert "fr3_joint1" in node.warnings[0]
