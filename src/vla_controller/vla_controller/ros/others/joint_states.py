# SPDX-License-Identifier: Apache-2.0
"""Joint states in, the tool's pose out, and who publishes them."""

from __future__ import annotations

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from vla_core.ros.managed import OVERRIDABLE
from vla_core.ros.time import seconds_from_msg, time_from_seconds

from vla_controller.arm.arm_clock import ArmClock
from vla_controller.arm_controller import ArmController
from vla_controller.ros import conversions
from vla_controller.ros.gripper import Gripper
from vla_controller.ros.reports import Reports
from vla_controller.settings import NodeSettings

_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)


class JointStates:
    """Hands joint states to the controller; publishes the tool's pose for those that it believes."""

    def __init__(
        self, node: Node, settings: NodeSettings, controller: ArmController, reports: Reports, gripper: Gripper
    ) -> None:
        """Create subscription and publisher; ``gripper`` sees the messages too."""
        self._node, self._controller, self._reports, self._gripper = node, controller, reports, gripper
        self._joints, self._frame = list(controller.config.joints), controller.config.base_frame
        self._period, self._last_pose = 1.0 / settings.ee_pose_rate, 0.0
        self.clock = ArmClock(controller.settings.command_lead)
        self._poses = node.create_publisher(PoseStamped, settings.ee_pose_topic, 10)
        self._subscription = node.create_subscription(
            JointState, settings.joint_state_topic, self._on_joint_state, _QOS, qos_overriding_options=OVERRIDABLE
        )

    def look_for_publishers(self) -> None:
        """Note who publishes joint states; the arm's and the gripper's may come from two nodes."""
        found = self._node.get_publishers_info_by_topic(self._subscription.topic_name)
        names = sorted({f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in found})
        self._controller.watch.publishers = tuple(names)

    def _on_joint_state(self, msg: JointState) -> None:
        self._gripper.see(msg)
        joints = conversions.joints_from_msg(msg, self._joints)
        if joints is None:
            return  # another device's joints
        now = self._node.get_clock().now().nanoseconds * 1e-9
        stamp = seconds_from_msg(msg.header.stamp)
        self.clock.add(stamp, now)
        if stamp == 0.0:
            msg.header.stamp, stamp = time_from_seconds(now), now
        if not self._controller.update_joint_state(min(stamp, now), *joints):
            return
        self._reports.latency.add_measured(min(stamp, now), joints[0])
        if abs(now - self._last_pose) > 0.9 * self._period:  # a clock that went back counts as well
            self._last_pose = now
            pose = self._controller.kinematics.fk(joints[0])
            self._poses.publish(conversions.pose_to_msg(pose, msg.header.stamp, self._frame))
