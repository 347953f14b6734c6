# SPDX-License-Identifier: Apache-2.0
"""The files of sim:=gazebo: valid, and the same robot, table and camera as sim:=mujoco."""

import itertools
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import mujoco
import numpy as np
import pytest
import yaml
from vla_bringup.graph import GRAPH
from vla_bringup.resolution import IncludeStart
from vla_sim.world.robots import get_robot
from vla_sim.world.scene import body_name, build_scene
from vla_sim.world.world import OBJECTS

SHARE = Path(__file__).parents[1]
FOLDER = SHARE / "config" / "gazebo"
TIP = {"fr3": "fr3_tcp", "wx250s": "wx250s/ee_gripper_link"}
robots = pytest.mark.parametrize("robot", sorted(TIP))


def urdf(robot):
    text = (FOLDER / f"{robot}.urdf").read_text(encoding="utf-8")
    extension = '<mujoco><compiler fusestatic="false"/></mujoco></robot>'
    return mujoco.MjModel.from_xml_string(text.replace("</robot>", extension))


@robots
def test_the_tool_is_where_the_mujoco_model_has_it(robot):
    ours, theirs, names = urdf(robot), get_robot(robot).load().compile(), get_robot(robot).joint_names
    a, b = mujoco.MjData(ours), mujoco.MjData(theirs)
    for q in np.random.default_rng(0).uniform(-1.0, 1.0, (20, len(names))):
        for name, value in zip(names, q, strict=True):
            a.qpos[ours.joint(name).qposadr] = value
            b.qpos[theirs.joint(name).qposadr] = value
        mujoco.mj_kinematics(ours, a)
        mujoco.mj_kinematics(theirs, b)
        np.testing.assert_allclose(a.body(TIP[robot]).xpos, b.site("tcp").xpos, atol=1e-5)


@robots
def test_limits_and_moving_masses_are_those_of_the_mujoco_model(robot):
    ours, theirs = urdf(robot), get_robot(robot).load().compile()
    for name in (*get_robot(robot).joint_names, *get_robot(robot).finger_joint_names):
        np.testing.assert_allclose(ours.joint(name).range, theirs.joint(name).range, atol=1e-3)
        moved = [model.body_subtreemass[model.jnt_bodyid[model.joint(name).id]] for model in (ours, theirs)]
        assert moved[0] == pytest.approx(moved[1], rel=1e-3)


@robots
def test_the_camera_looks_as_the_policys_camera_does(robot):
    world = ET.parse(FOLDER / f"{robot}_world.sdf").getroot()
    x, y, z, roll, pitch, yaw = map(float, world.find(".//model[@name='front_camera']/pose").text.split())
    model = build_scene(get_robot(robot))
    camera = model.camera("front")
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, camera.quat)
    forward = -matrix.reshape(3, 3)[:, 2]
    np.testing.assert_allclose([x, y, z], camera.pos, atol=1e-6)
    assert roll == 0.0
    ours = [math.cos(pitch) * math.cos(yaw), math.cos(pitch) * math.sin(yaw), -math.sin(pitch)]
    np.testing.assert_allclose(ours, forward, atol=1e-4)
    width, height = (int(world.find(f".//image/{side}").text) for side in ("width", "height"))
    tangent = math.tan(float(world.find(".//horizontal_fov").text) / 2)
    assert tangent * height / width == pytest.approx(math.tan(math.radians(camera.fovy[0]) / 2), rel=1e-4)


@robots
def test_every_block_and_the_bowl_are_in_the_world_and_within_reach(robot):
    world, sim = ET.parse(FOLDER / f"{robot}_world.sdf").getroot(), get_robot(robot)
    poses = {m.get("name"): list(map(float, m.find("pose").text.split())) for m in world.iter("model")}
    objects = [name for name in poses if name.endswith("_block") or name == "bowl"]
    assert len(objects) == 6
    for name in objects:
        assert abs(poses[name][0] - sim.table_center_x) <= sim.reach_x
        assert abs(poses[name][1]) <= sim.reach_y
    assert float(world.get("version")) <= 1.9


def footprint(body: mujoco.MjModel, name: str) -> float:
    """Radius [m] of the circle about an object's axis that holds it."""
    index = body.body(name).id
    geoms = [g for g in range(body.ngeom) if body.geom_bodyid[g] == index]
    sides = {mujoco.mjtGeom.mjGEOM_BOX: lambda size: math.hypot(*size[:2])}
    reach = [sides.get(body.geom_type[g], lambda size: size[0])(body.geom_size[g]) for g in geoms]
    return max(math.hypot(*body.geom_pos[g][:2]) + r for g, r in zip(geoms, reach, strict=True))


@robots
def test_the_objects_are_those_of_the_mujoco_scene_and_none_touches_another(robot):
    world, model = ET.parse(FOLDER / f"{robot}_world.sdf").getroot(), build_scene(get_robot(robot))
    names = {name: body_name(name) for name in OBJECTS}
    found = {m.get("name"): m for m in world.iter("model") if m.find("static") is None}
    assert set(found) == set(names.values())
    places = {name: np.array(list(map(float, m.find("pose").text.split()))) for name, m in found.items()}
    for first, second in itertools.combinations(found, 2):
        gap = np.linalg.norm(places[first][:2] - places[second][:2])
        assert gap > footprint(model, first) + footprint(model, second) + 0.005, (first, second)
    for name, element in found.items():
        geom = model.body(name).geomadr[0]
        color = list(map(float, element.find(".//diffuse").text.split()))
        np.testing.assert_allclose(color, model.geom_rgba[geom], atol=1e-6)
        assert float(element.find(".//mass").text) == pytest.approx(model.body(name).mass[0], rel=1e-3)
        height = 0.0 if name == "bowl" else model.geom_size[geom][{"grey_can": 1}.get(name, 2)]
        assert places[name][2] == pytest.approx(height, abs=1e-6)


@robots
def test_controllers_take_what_the_controller_node_sends(robot):
    config = yaml.safe_load((FOLDER / f"{robot}_controllers.yaml").read_text(encoding="utf-8"))
    sim = get_robot(robot)
    arm = sim.arm_command_topic.split("/")[0]
    assert config[arm]["ros__parameters"]["joints"] == list(sim.joint_names)
    assert config["gripper_controller"]["ros__parameters"]["joints"] == [sim.finger_joint_names[0]]
    for name in (arm, "gripper_controller"):
        settings = config[name]["ros__parameters"]
        assert settings["interpolate_from_desired_state"]
        assert settings["allow_nonzero_velocity_at_trajectory_end"]
        assert settings["cmd_timeout"] > settings["constraints"]["goal_time"]
    control = ET.parse(FOLDER / f"{robot}.urdf").getroot().find("ros2_control")
    commanded = [j.get("name") for j in control.findall("joint") if j.find("command_interface") is not None]
    assert commanded == [*sim.joint_names, sim.finger_joint_names[0]]
    arguments = {"sim": "gazebo", "robot": robot, "checkpoint": "weights"}
    starts = {s.name: s for s in GRAPH.resolve(arguments, SHARE) if hasattr(s, "name")}
    assert arm in starts[f"{robot}_controllers"].arguments


@robots
def test_the_description_that_is_published_points_to_files_that_exist(robot):
    starts = GRAPH.resolve({"sim": "gazebo", "robot": robot, "checkpoint": "weights"}, SHARE)
    text = next(s for s in starts if getattr(s, "name", "") == "robot_state_publisher").parameters["robot_description"]
    assert "package://" not in text
    assert Path(re.search("<parameters>(.*)</parameters>", text).group(1)).is_file()
    gazebo = next(s for s in starts if isinstance(s, IncludeStart))
    assert Path(gazebo.arguments["gz_args"].split()[-1]).is_file()


@robots
@pytest.mark.skipif(not shutil.which("ign"), reason="ign sdf (ignition-tools, libsdformat) is not installed")
def test_sdformat_accepts_world_and_robot(robot):
    for options in (("-k", f"{robot}_world.sdf"), ("-p", f"{robot}.urdf")):
        done = subprocess.run(["ign", "sdf", *options], cwd=FOLDER, capture_output=True, text=True, check=True)
        assert not re.search("Error|Unable|Warning", done.stderr)


@robots
@pytest.mark.skipif(not shutil.which("check_urdf"), reason="check_urdf (liburdfdom-tools) is not installed")
def test_urdfdom_accepts_the_robot(robot):
    done = subprocess.run(["check_urdf", f"{robot}.urdf"], cwd=FOLDER, capture_output=True, text=True, check=True)
    assert "Successfully Parsed" in done.stdout
