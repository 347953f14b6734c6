# SPDX-License-Identifier: Apache-2.0
"""Any arm from a URDF at the table: home, trajectories, the tool of its description."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from vla_core.config_file import find_config
from vla_core.robot import RobotConfigError, load_robot_config
from vla_core.trajectory.spline import TrajectoryPoint
from vla_core.urdf.tree import parse_urdf
from vla_sim.world.robots import UnknownRobotError, get_robot
from vla_sim.world.world import World


@pytest.fixture(scope="module")
def world() -> World:
    return World("ur5e")


def test_the_arm_holds_its_home_and_its_tool_is_where_the_description_has_it(world: World) -> None:
    config = load_robot_config("ur5e")
    world.reset_robot(world.robot.home)
    world.step(0.2)
    tool = world.tcp_pose()
    np.testing.assert_allclose(tool[:3], config.model.tcp_at_home, atol=1e-3)
    assert abs(tool[3]) > 0.999  # x y z w: the tool points down
    assert world.gripper_width == pytest.approx(0.08, abs=1e-3)


def test_it_follows_a_trajectory_and_closes_its_fingers(world: World) -> None:
    world.reset_robot(world.robot.home)
    target = np.array(world.robot.home) + 0.1
    world.command_arm([TrajectoryPoint(0.6, target, np.zeros(6))])
    world.command_gripper(0.0)
    world.step(1.2)
    names, positions, _ = world.joint_state()
    assert names[-2:] == ("gripper_left_joint", "gripper_right_joint")
    np.testing.assert_allclose(positions[:6], target, atol=5e-3)
    assert world.gripper_width < 0.005


def test_a_robot_file_without_what_the_simulator_needs_is_refused(tmp_path: Path) -> None:
    path = find_config("robots", "robot", "ur5e")
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert "gripper_left_joint" in {joint.name for joint in parse_urdf(path.with_suffix(".urdf").read_text()).joints}
    data["model"]["file"] = str(path.with_suffix(".urdf").resolve())
    del data["gripper"]["mimic_joint"]
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(RobotConfigError, match="two fingers'"):
        World(get_robot(str(mine)))
    data["model"] = {"topic": "robot_description", "tcp_frame": "gripper_tcp"}
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(UnknownRobotError, match=r"no model of .*valid: fr3, wx250s, or a robot file"):
        get_robot(str(other))
    with pytest.raises(UnknownRobotError, match="no model of 'panda'"):
        get_robot("panda")
    with pytest.raises(UnknownRobotError, match="unknown robot 'none'"):
        get_robot("none")
