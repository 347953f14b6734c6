# SPDX-License-Identifier: Apache-2.0
"""The simulated arm where another one is: joint states of a driver in, as if its arm stood at the simulated table."""

from __future__ import annotations

import socket

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from vla_core.trajectory.spline import TrajectoryPoint

from vla_sim.world.robots import FINGER_GAIN
from vla_sim.world.simulation import Simulation

AHEAD_S = 0.02  # [s] two joint states of 100 Hz: the arm arrives where the driver's is by then
WARN_PERIOD_S = 2.0
BLOCKED = 0.004  # [m] of the width by which fingers that press stay open around something
HAND_PORT = 1339  # of franka_sim


class ArmMirror:
    """Moves the arm by joint states, with the same physics of the blocks; the fingers press on what they meet."""

    def __init__(self, node: Node, simulation: Simulation, topic: str, hand_address: str = "") -> None:
        """`hand_address`: where the width that the fingers cannot close below is sent to; empty: nowhere."""
        self._node, self._simulation = node, simulation
        robot = simulation.world.robot
        self._joints, self._finger = robot.joint_names, robot.finger_joint_names[0]
        self.states = 0
        self._hand = (hand_address, HAND_PORT)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        node.create_subscription(JointState, topic, self._on_state, 10)

    def _on_state(self, message: JointState) -> None:
        places = {name: i for i, name in enumerate(message.name)}
        if not set(self._joints) <= places.keys() or len(message.velocity) != len(message.name):
            text = (
                f"joint states of {', '.join(message.name[:8])} do not move this arm; valid: {', '.join(self._joints)}"
            )
            self._node.get_logger().warning(f"{text}, with velocities", throttle_duration_sec=WARN_PERIOD_S)
            return
        order = [places[name] for name in self._joints]
        position, velocity = (np.array(values)[order] for values in (message.position, message.velocity))
        if self.states == 0:
            self._simulation.place_arm(position)
        self.states += 1
        self._simulation.command_arm([TrajectoryPoint(AHEAD_S, position + AHEAD_S * velocity, velocity)])
        if self._finger in places:
            self._move_fingers(message, places[self._finger])

    def _move_fingers(self, message: JointState, i: int) -> None:
        """Have the fingers where the message says, pressing with its effort [N], and report what they meet."""
        press = message.effort[i] / FINGER_GAIN if len(message.effort) > i else 0.0
        travel = message.position[i] + press
        self._simulation.command_gripper(travel)
        if self._hand[0]:
            width = self._simulation.scene().gripper_width
            least = width if press < 0.0 and width > 2.0 * max(travel, 0.0) + BLOCKED else 0.0
            self._socket.sendto(f"{least:.5f}".encode(), self._hand)
