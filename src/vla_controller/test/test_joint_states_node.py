# SPDX-License-Identifier: Apache-2.0
"""False joint states and a rival, over DDS: the node holds, refuses everything, and says who publishes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from vla_core.robot import load_robot_config

pytestmark = pytest.mark.node
CONFIG = load_robot_config("fr3")


def refused(arm, name: str) -> bool:
    return any(refusal.name == name for refusal in arm.statuses[-1].refusals)


def test_zeros_from_a_second_publisher_hold_the_arm_and_it_is_named(arm, start: Callable) -> None:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import JointState

    start()
    arm.wait_for_state(1)
    publisher = arm.node.create_publisher(JointState, "/joint_states", qos_profile_sensor_data)
    timer = arm.node.create_timer(
        1.0 / 60.0, lambda: publisher.publish(JointState(name=list(CONFIG.joints), position=[0.0] * 7))
    )
    arm.wait(lambda: refused(arm, "joint_states_disagree"))
    home = arm.call("home")
    assert not home.success
    assert "take turns" in home.message
    arm.wait(lambda: any(s.level == b"\x02" for d in arm.diagnostics for s in d.status if "controller" in s.name))
    poses, commands = len(arm.poses), len(arm.commands)
    assert all(np.allclose(command.points[0].positions, CONFIG.home) for command in arm.commands)
    count = len(arm.statuses)
    arm.wait(lambda: len(arm.statuses) > count + 20)
    assert len(arm.poses) == poses
    assert len(arm.commands) <= commands + 20
    arm.node.destroy_timer(timer)
    arm.wait(lambda: arm.call("home").success)


def test_home_is_refused_at_once_while_a_rival_commands_the_arm(arm, start: Callable) -> None:
    from trajectory_msgs.msg import JointTrajectory

    start()
    arm.wait_for_state(1)
    rival = arm.node.create_publisher(JointTrajectory, CONFIG.arm_command_topic, 1)
    arm.wait(lambda: "other publisher" in arm.statuses[-1].reason)
    home = arm.call("home")
    assert not home.success
    assert "other publisher" in home.message
    arm.node.destroy_publisher(rival)
    arm.wait(lambda: arm.call("home").success)
