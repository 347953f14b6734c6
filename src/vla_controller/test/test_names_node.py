# SPDX-License-Identifier: Apache-2.0
"""In a namespace and under remapping, whoever else commands the arm is looked for under the name that is used."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from trajectory_msgs.msg import JointTrajectory
from vla_controller.ros.others.arm_receiver import ArmReceiver
from vla_controller.ros.others.claim import Claim, OtherControllerError
from vla_controller.ros.others.rivals import Rivals
from vla_core.state import state_file

pytestmark = pytest.mark.node
TOPIC, REMAPPED = "fr3_arm_controller/joint_trajectory", "/left/mine/joint_trajectory"


@pytest.fixture
def context() -> Iterator[Context]:
    made = Context()
    rclpy.init(args=[], context=made)
    yield made
    made.try_shutdown()


@pytest.fixture
def controller(context: Context) -> Any:
    """A node in a namespace whose output is remapped."""
    words = ["--ros-args", "-r", f"{TOPIC}:=mine/joint_trajectory"]
    return rclpy.create_node("controller_node", namespace="left", context=context, cli_args=words)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 40.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_another_publisher_is_found_on_the_remapped_topic(controller: Any, context: Context) -> None:
    rivals = Rivals(controller, TOPIC)
    controller.create_publisher(JointTrajectory, TOPIC, 1)
    until(lambda: controller.count_publishers(REMAPPED) == 1)
    other = rclpy.create_node("other", context=context)
    elsewhere = other.create_publisher(JointTrajectory, f"/{TOPIC}", 1)
    until(lambda: controller.count_publishers(elsewhere.topic_name) == 1)
    assert rivals.look(own=1) is None
    other.create_publisher(JointTrajectory, REMAPPED, 1)
    until(lambda: rivals.look(own=1))
    assert rivals.look(own=1).reason == f"1 other publisher(s) command the arm on {REMAPPED}"


def test_the_arm_is_claimed_under_the_remapped_name(controller: Any, context: Context) -> None:
    other = rclpy.create_node("controller_node", namespace="right", context=context)
    held = Claim(other, REMAPPED)
    held._begun -= 60.0
    held.check()
    until(lambda: controller.count_publishers(f"{REMAPPED}/claimed") == 1)
    with pytest.raises(OtherControllerError, match=REMAPPED):
        Claim(controller, TOPIC).check()


def test_the_receiver_is_the_node_behind_the_remapped_name(controller: Any) -> None:
    assert ArmReceiver(controller, TOPIC, ["a"]).controller == "/left/mine"


def test_the_emergency_stop_is_kept_for_each_namespace() -> None:
    files = {state_file("estop", 1, namespace, "fr3") for namespace in ("/", "/left", "/right", "/left/arm")}
    assert len(files) == 4
