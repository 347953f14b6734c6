# SPDX-License-Identifier: Apache-2.0
"""Names out of the robots' descriptions, and the package's core without ROS."""

import subprocess
import sys
from pathlib import Path

import pytest
from vla_perception.errors import RobotConfigError
from vla_perception.robot_config import find_robot_file, load_robot_joints

ROBOTS = Path(__file__).parents[3] / "config" / "robots"


@pytest.mark.parametrize("robot", ["fr3", "wx250s"])
def test_shipped_robots(robot: str) -> None:
    joints = load_robot_joints(find_robot_file(robot, ROBOTS.parents[1]))
    assert len(joints.joint_names) >= 6
    assert joints.finger_joints
    assert joints.base_frame
    assert not set(joints.finger_joints) & set(joints.joint_names)


def test_unknown_robot_lists_the_valid_ones() -> None:
    with pytest.raises(RobotConfigError, match="unknown robot 'r2d2'; valid: fr3, panda, wx250s"):
        find_robot_file("r2d2", ROBOTS.parents[1])
    with pytest.raises(RobotConfigError, match="not a file"):
        find_robot_file("nowhere/r2d2.yaml", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "holds a list"),
        ("joints: [a]", "base_frame"),
        ("{base_frame: b, joints: 3, gripper: {joint: f}}", "joints is 3"),
        ("{base_frame: b, joints: [a]}", "gripper.joint"),
        ("a: [", "cannot be read"),
    ],
)
def test_bad_descriptions_name_the_entry(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    with pytest.raises(RobotConfigError, match=said):
        load_robot_joints(path)


def test_core_imports_without_ros() -> None:
    modules = "commands, image_decoding, resizing, joint_state_buffer, pose_buffer, camera_watch, robot_config"
    code = f"import sys; sys.modules['rclpy'] = None; from vla_perception import {modules}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
