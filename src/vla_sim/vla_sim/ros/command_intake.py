# SPDX-License-Identifier: Apache-2.0
"""Joint trajectories from topics into the simulation, as a joint_trajectory_controller takes them."""

from collections import Counter

from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory
from vla_core.ros.trajectory import age_from_msg, points_from_msg
from vla_core.trajectory.checks import CommandError, Joints, check_trajectory
from vla_core.trajectory.spline import TrajectoryPoint

from vla_sim.run.clock import LoopClock
from vla_sim.world.simulation import Simulation

WARN_PERIOD_S = 2.0


class CommandIntake:
    """Two subscriptions, but none to an empty topic; `clock` tells the age of stamped trajectories.

    A refused trajectory changes nothing and is counted by its kind of fault.
    """

    def __init__(
        self, node: Node, simulation: Simulation, clock: LoopClock, arm_topic: str, gripper_topic: str
    ) -> None:
        self._node, self._simulation, self._clock = node, simulation, clock
        robot = simulation.world.robot
        self._arm = simulation.stops(robot.joint_names)
        self._gripper = simulation.stops(robot.finger_joint_names[:1])
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.last_refusal = ""
        for topic, callback in ((arm_topic, self._on_arm), (gripper_topic, self._on_gripper)):
            if topic:
                node.create_subscription(JointTrajectory, topic, callback, 10)

    def _on_arm(self, message: JointTrajectory) -> None:
        points = self._check(message, self._arm, "arm")
        if points is not None:
            self._simulation.command_arm(points)

    def _on_gripper(self, message: JointTrajectory) -> None:
        """The fingers close as fast as they can: of a trajectory only the last point counts."""
        points = self._check(message, self._gripper, "gripper")
        if points:
            self._simulation.command_gripper(float(points[-1].positions[0]))

    def _check(self, message: JointTrajectory, joints: Joints, what: str) -> tuple[TrajectoryPoint, ...] | None:
        try:
            age = age_from_msg(message, self._clock.stamp_ns())
            points = check_trajectory(message.joint_names, points_from_msg(message), joints, age)
        except CommandError as error:
            self.refused[error.name] += 1
            self.last_refusal = f"{what} trajectory refused: {error}"
            self._node.get_logger().warning(self.last_refusal, throttle_duration_sec=WARN_PERIOD_S)
            return None
        self.accepted += 1
        return points
