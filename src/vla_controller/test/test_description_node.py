# SPDX-License-Identifier: Apache-2.0
"""The description of a robot from a latched topic, in the node's namespace."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from std_msgs.msg import String
from vla_controller.arm.kinematics import Kinematics
from vla_controller.ros.description import LATCHED, with_description
from vla_core.robot import RobotConfigError, load_robot_config
from vla_core.urdf.model_source import ModelSource, package_folder, read_urdf

pytestmark = pytest.mark.node
SOURCE = ModelSource("", "", "fr3_hand_tcp", topic="robot_description")


@pytest.fixture
def context() -> Iterator[Context]:
    made = Context()
    rclpy.init(args=[], context=made)
    yield made
    made.try_shutdown()


def test_the_latched_description_makes_the_kinematics(context: Context) -> None:
    text = read_urdf(package_folder("franky_sim") / "assets" / "fr3.urdf")
    driver = rclpy.create_node("robot_state_publisher", namespace="left", context=context)
    driver.create_publisher(String, "robot_description", LATCHED).publish(String(data=text))
    node = rclpy.create_node("controller_node", namespace="left", context=context)
    config = replace(load_robot_config("fr3"), model=SOURCE, collision=None)
    found = with_description(node, config, timeout=60.0)
    assert found.model.text == text
    assert Kinematics(found).fk(config.home).position[2] > 0.1


def test_without_one_the_topic_and_the_remedy_are_named(context: Context) -> None:
    node = rclpy.create_node("controller_node", namespace="left", context=context)
    config = replace(load_robot_config("fr3"), model=SOURCE)
    with pytest.raises(RobotConfigError, match=r"on /left/robot_description within 0\.2 s; start the robot's driver"):
        with_description(node, config, timeout=0.2)
    with pytest.raises(RobotConfigError, match="no URDF came on the topic"):
        Kinematics(config)
    assert with_description(node, load_robot_config("fr3")).model.text == ""
