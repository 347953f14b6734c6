# SPDX-License-Identifier: Apache-2.0
"""The published robot_description: frames of tool and cameras agree with controller and simulator; who publishes it."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from vla_bringup.commands import package_of
from vla_bringup.graph import GRAPH
from vla_controller.arm.kinematics import Kinematics
from vla_core.urdf.tree import parse_urdf
from vla_sim.world.world import World

from vla_core import load_robot_config

SHARE = Path(__file__).parents[1]
ROBOTS = ("fr3", "wx250s")
TIP = {"fr3": "fr3_tcp", "wx250s": "wx250s/ee_gripper_link"}
CAMERAS = {"front": "camera", "wrist": "wrist_camera", "viewer": "viewer_camera"}
robots = pytest.mark.parametrize("robot", ROBOTS)


def publisher(**given):
    starts = GRAPH.resolve(given | {"checkpoint": "weights"}, SHARE)
    return next((start for start in starts if start.name == "robot_state_publisher"), None)


def frames(tree, positions: dict[str, float]) -> dict[str, np.ndarray]:
    """Pose (4, 4) of every link in the root, as a tf listener puts them together from /tf_static and /tf."""
    poses = [*((joint, joint.origin) for joint in tree.fixed), *tree.moved(positions)]
    found = {tree.root: np.eye(4)}
    while len(found) <= len(poses):
        for joint, pose in poses:
            if joint.parent in found:
                local = np.eye(4)
                local[:3, :3], local[:3, 3] = Rotation.from_quat(pose.quaternion).as_matrix(), pose.position
                found[joint.child] = found[joint.parent] @ local
    return found


def postures(robot: str) -> np.ndarray:
    limits = load_robot_config(robot).limits
    return np.random.default_rng(1).uniform(limits.lower, limits.upper, (20, len(limits.lower)))


@robots
def test_the_tool_is_where_the_controller_computes_it(robot):
    config = load_robot_config(robot)
    kinematics, tree = Kinematics(config), parse_urdf(publisher(robot=robot).parameters["robot_description"])
    for q in postures(robot):
        seen = frames(tree, dict(zip(config.joints, q, strict=True)))
        tool = np.linalg.inv(seen[config.base_frame]) @ seen[TIP[robot]]
        pose = kinematics.fk(q)
        np.testing.assert_allclose(tool[:3, 3], pose.position, atol=1e-4)


@robots
def test_the_cameras_are_where_the_simulator_has_them(robot):
    """Also the optical frames of REP 103: z into the picture, x to its right."""
    world = World(robot)
    tree = parse_urdf(publisher(robot=robot).parameters["robot_description"])
    names = (*world.robot.joint_names, *world.robot.finger_joint_names)
    for q in postures(robot):
        world.reset_robot(q)
        seen = frames(tree, dict(zip(names, world.joint_state()[1], strict=True)))
        assert len(seen) == len(tree.joints) + 1  # every link has a frame
        for camera, frame in CAMERAS.items():
            truth = world.data.camera(camera)
            optical = np.linalg.inv(seen[world.robot.base_frame]) @ seen[f"{frame}_optical_frame"]
            np.testing.assert_allclose(optical[:3, 3], truth.xpos, atol=1e-4)
            matrix = truth.xmat.reshape(3, 3) * (1.0, -1.0, -1.0)  # MuJoCo looks along -z with y up
            np.testing.assert_allclose(optical[:3, :3], matrix, atol=1e-4)


@pytest.mark.parametrize("sim", ["mujoco", "none", "gazebo"])
@robots
def test_every_sim_has_one_publisher_of_the_description(robot, sim):
    start = publisher(robot=robot, sim=sim)
    assert "<robot" in start.parameters["robot_description"]
    assert "package://" not in start.parameters["robot_description"]
    if sim != "gazebo":
        assert publisher(robot=robot, sim=sim, publish_description="false") is None


def test_the_package_of_ros_is_preferred_and_ours_serves_without_it(monkeypatch, tmp_path):
    index = tmp_path / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    start = publisher()
    assert package_of(start) == "vla_description"
    (index / "robot_state_publisher").touch()
    assert package_of(start) == "robot_state_publisher"
