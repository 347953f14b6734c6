# SPDX-License-Identifier: Apache-2.0
"""What drives the fingers: a joint trajectory topic, or an action of the gripper's own driver."""

from __future__ import annotations

from typing import Any, Protocol

from control_msgs.action import GripperCommand, ParallelGripperCommand
from rclpy.action import ActionClient
from rclpy.node import Node
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from vla_core.robot import GripperConfig
from vla_core.ros.time import duration_from_seconds

from vla_controller.settings import NodeSettings

_HOLD_TIME = 0.05  # [s] for a motion to where the fingers are


class Driver(Protocol):
    """What moves the fingers."""

    def send(self, travel: float, seconds: float) -> None:
        """Command one finger to `travel` [m] in `seconds`."""

    def hold(self, travel: float | None) -> None:
        """Stop fingers that move, at `travel` [m] where that is known."""

    def receivers(self) -> int:
        """Return how many receivers are there."""


class TopicDriver:
    """trajectory_msgs/JointTrajectory of the first finger, for ros2_control's joint_trajectory_controller."""

    def __init__(self, node: Node, topic: str, gripper: GripperConfig) -> None:
        """Create the publisher."""
        self._joint = gripper.joint
        self._publisher = node.create_publisher(JointTrajectory, topic, 1)

    def send(self, travel: float, seconds: float) -> None:
        """Command one finger to `travel` [m] in `seconds`."""
        point = JointTrajectoryPoint(positions=[travel])
        point.time_from_start = duration_from_seconds(seconds)
        self._publisher.publish(JointTrajectory(joint_names=[self._joint], points=[point]))

    def hold(self, travel: float | None) -> None:
        """Command the place where the fingers are; without a measurement nothing can be said."""
        if travel is not None:
            self.send(travel, _HOLD_TIME)

    def receivers(self) -> int:
        """Return how many subscriptions there are."""
        return int(self._publisher.get_subscription_count())


class ActionDriver:
    """control_msgs/GripperCommand (franka_gripper, gripper_action_controller) or ParallelGripperCommand."""

    def __init__(self, node: Node, name: str, gripper: GripperConfig, kind: Any, effort: float) -> None:
        """`effort` [N] is the greatest that the driver may use."""
        self._kind, self._joint, self._effort = kind, gripper.joint, effort
        self._client = ActionClient(node, kind, name)
        self._log = node.get_logger()
        self._latest: Any = None  # future of the goal sent last

    def send(self, travel: float, seconds: float) -> None:
        """Send a goal; the driver replaces the one before."""
        goal = self._kind.Goal()
        if self._kind is GripperCommand:
            goal.command.position, goal.command.max_effort = travel, self._effort
        else:
            goal.command = JointState(name=[self._joint], position=[travel], effort=[self._effort])
        if self._client.server_is_ready():
            self._latest = self._client.send_goal_async(goal)

    def hold(self, travel: float | None) -> None:
        """Cancel the goal sent last, also one that is not yet accepted."""
        latest, self._latest = self._latest, None
        if latest is not None:
            latest.add_done_callback(self._cancel)

    def receivers(self) -> int:
        """Return whether the server is there."""
        return int(self._client.server_is_ready())

    def _cancel(self, sent: Any) -> None:
        if sent.cancelled() or sent.exception() is not None:
            self._log.warning(f"gripper goal: {sent.exception()}")
        elif sent.result().accepted:
            sent.result().cancel_goal_async()


def make_driver(node: Node, settings: NodeSettings, topic: str, gripper: GripperConfig) -> Driver:
    """Return the driver that the parameter `gripper_output` names."""
    if settings.gripper_output == "joint_trajectory":
        return TopicDriver(node, topic, gripper)
    kind = GripperCommand if settings.gripper_output == "gripper_command" else ParallelGripperCommand
    return ActionDriver(node, topic, gripper, kind, settings.gripper_effort)
