# SPDX-License-Identifier: Apache-2.0
"""Trajectories as they arrive at a driver: checked, counted, and refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory
from vla_core.robot import RobotConfig
from vla_core.ros.trajectory import age_from_msg, points_from_msg
from vla_core.trajectory.checks import CommandError, Joints, check_trajectory
from vla_core.trajectory.spline import TrajectoryPoint

from vla_hardware.franka.errors import ArmError, ArmFault
from vla_hardware.franka.health import Commands

WARN_PERIOD_S = 2.0


class Intake:
    """Checks the commands of one driver node, and answers its services."""

    def __init__(self, node: Any, robot: RobotConfig, commands: Commands) -> None:
        """Refusals are counted in `commands` and logged by `node`."""
        self._node, self._commands = node, commands
        self._arm = Joints(robot.joints, robot.limits.lower, robot.limits.upper)
        gripper = robot.gripper
        low, high = (np.array([gripper.finger_position(opening)]) for opening in (0.0, 1.0))
        self._gripper = Joints((gripper.joint,), low, high)

    def arm(self, message: JointTrajectory) -> tuple[TrajectoryPoint, ...] | None:
        """Return the points for the arm, or None for a refusal."""
        return self._check(message, self._arm, "arm")

    def fingers(self, message: JointTrajectory) -> float | None:
        """Return the last position of the first finger [m], or None for a refusal."""
        points = self._check(message, self._gripper, "gripper")
        return float(points[-1].positions[0]) if points else None

    def _check(self, message: JointTrajectory, joints: Joints, what: str) -> tuple[TrajectoryPoint, ...] | None:
        try:
            age = age_from_msg(message, self._node.get_clock().now().nanoseconds)
            return check_trajectory(message.joint_names, points_from_msg(message), joints, age)
        except CommandError as error:
            self.refuse(error.name, f"{what} trajectory refused: {error}")
            return None

    def refuse(self, name: str, text: str) -> None:
        """Count and log a refusal of the kind `name`."""
        self._commands.refuse(name, text)
        self._node.get_logger().warning(text, throttle_duration_sec=WARN_PERIOD_S)

    def answer(self, response: Trigger.Response, act: Callable[[], str]) -> Trigger.Response:
        """Answer a service with what `act` returns, or with why it could not be done."""
        try:
            response.message, response.success = act(), True
            self._node.get_logger().info(response.message)
        except (ArmError, ArmFault) as error:
            response.message = str(error)
            self._node.get_logger().error(response.message)
        return response
