# SPDX-License-Identifier: Apache-2.0
"""The node robot_state_publisher, with the interface of the package of that name."""

from __future__ import annotations

from collections.abc import Iterable

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings
from vla_core.ros.time import NS_PER_S, ns_from_msg
from vla_core.rotation import Pose
from vla_core.urdf.tree import Joint, UrdfError, parse_urdf

from vla_description.settings import Settings

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
ROUNDING_NS = 1_000_000  # of stamps, so that every second message of 40 Hz is taken at 20 Hz


class RobotStatePublisher(ManagedNode):
    """Publishes the URDF once, fixed joints on tf_static, and moving ones on tf as joint states come."""

    UNUSABLE = (*ManagedNode.UNUSABLE, UrdfError)

    def __init__(self) -> None:
        """Read the URDF and publish it. Raises UrdfError when it cannot be used."""
        super().__init__("robot_state_publisher")
        settings = declare_settings(self, Settings)
        self._prefix = settings.frame_prefix
        self._period_ns = round(NS_PER_S / settings.publish_frequency) - ROUNDING_NS
        self._last_ns = 0
        self._tree = parse_urdf(settings.robot_description)
        self._description = self.create_publisher(String, "robot_description", LATCHED)
        self._static = self.create_publisher(TFMessage, "tf_static", LATCHED)
        self._moving = self.create_publisher(TFMessage, "tf", 100)
        self._description.publish(String(data=settings.robot_description))
        now = self.get_clock().now().to_msg()
        self._static.publish(self._message(((joint, joint.origin) for joint in self._tree.fixed), now))
        self.create_subscription(JointState, "joint_states", self._on_joints, 10)
        self.get_logger().info(f"publishing the frames of {len(self._tree.joints)} joints below {self._tree.root}")

    def _on_joints(self, message: JointState) -> None:
        stamp = message.header.stamp if ns_from_msg(message.header.stamp) else self.get_clock().now().to_msg()
        stamp_ns = ns_from_msg(stamp)
        if 0 <= stamp_ns - self._last_ns < self._period_ns:
            return
        moved = self._tree.moved(dict(zip(message.name, message.position, strict=False)))
        if moved:
            self._last_ns = stamp_ns
            self._moving.publish(self._message(moved, stamp))

    def _message(self, poses: Iterable[tuple[Joint, Pose]], stamp: Time) -> TFMessage:
        return TFMessage(transforms=[self._transform(joint, pose, stamp) for joint, pose in poses])

    def _transform(self, joint: Joint, pose: Pose, stamp: Time) -> TransformStamped:
        message = TransformStamped(child_frame_id=self._prefix + joint.child)
        message.header.stamp, message.header.frame_id = stamp, self._prefix + joint.parent
        move, turn = message.transform.translation, message.transform.rotation
        move.x, move.y, move.z = pose.position.tolist()
        turn.x, turn.y, turn.z, turn.w = pose.quaternion.tolist()
        return message
