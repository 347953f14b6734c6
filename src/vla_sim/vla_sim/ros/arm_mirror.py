# SPDX-License-Identifier: Apache-2.0
"""The simulated arm where another one is: joint states of a driver in, as if its arm stood at the simulated table."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from vla_core.trajectory.spline import TrajectoryPoint

from vla_sim.world.simulation import Simulation

AHEAD_S = 0.02  # [s] two joint states of 100 Hz: the arm arrives where the driver's is by then
WARN_PERIOD_S = 2.0


class ArmMirror:
    """Moves the arm by joint states, with the same physics of the blocks; the fingers press on what they meet."""

    def __init__(self, node: Node, simulation: Simulation, topic: str) -> None:
        self._node, self._simulation = node, simulation
        robot = simulation.world.robot
        self._joints, self._finger = robot.joint_names, robot.finger_joint_names[0]
        self.states = 0
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
            self._simulation.command_gripper(message.position[places[self._finger]])
