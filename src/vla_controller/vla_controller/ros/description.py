# SPDX-License-Identifier: Apache-2.0
"""The robot's own description from its topic, where the robot file names one."""

from __future__ import annotations

from dataclasses import replace

import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.wait_for_message import wait_for_message
from std_msgs.msg import String
from vla_core.robot import RobotConfig, RobotConfigError

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def with_description(node: Node, config: RobotConfig, timeout: float = 10.0) -> RobotConfig:
    """Return `config` with the URDF of its topic, as robot_state_publisher latches it; unchanged where it names a file.

    Args:
        node: its namespace and context count.
        config: robot file.
        timeout: longest wait [s].

    Raises:
        RobotConfigError: nothing came in that time.
    """
    topic = config.model.topic
    if not topic or config.model.text:
        return config
    listener = rclpy.create_node(f"{node.get_name()}_description", namespace=node.get_namespace(), context=node.context)
    try:
        name = listener.resolve_topic_name(topic)
        node.get_logger().info(f"waiting for the robot's description on {name}")
        found, message = wait_for_message(String, listener, topic, qos_profile=LATCHED, time_to_wait=timeout)
    finally:
        listener.destroy_node()
    if not found:
        raise RobotConfigError(
            f"{config.robot}: no description came on {name} within {timeout:g} s; start the robot's driver or "
            "robot_state_publisher, or name a file under model"
        )
    return replace(config, model=replace(config.model, text=message.data))
