# SPDX-License-Identifier: Apache-2.0
"""The simulated robots: their MuJoCo models. Joints, frames, home and topics come from the robot file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from vla_core.robot import RobotConfig, RobotConfigError, load_robot_config

from vla_sim.world.urdf_robot import table_facts, tool_and_camera, urdf_spec


class UnknownRobotError(ValueError):
    """The simulator has no model of that robot."""


@dataclass(frozen=True, slots=True)
class SimRobot:
    """One robot of the simulator: its robot file and what only the simulated table adds. Lengths in [m].

    The world's origin is the robot's base frame.
    """

    config: RobotConfig
    table_center_x: float  # centre of the working area in front of the base [m]
    reach_x: float  # half size of the area where objects are laid, along x [m]
    reach_y: float  # the same along y [m]
    side_line_y: float  # |y| that a pushed object has to cross [m]
    load: Callable[[], mujoco.MjSpec]

    @property
    def name(self) -> str:
        """Name of the robot."""
        return self.config.robot

    @property
    def base_frame(self) -> str:
        """Frame of every pose."""
        return self.config.base_frame

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Arm joints from the base to the tool."""
        return self.config.joints

    @property
    def finger_joint_names(self) -> tuple[str, str]:
        """The commanded finger joint and the one that mirrors it."""
        return self.config.gripper.joint, self.config.gripper.mimic_joint

    @property
    def home(self) -> tuple[float, ...]:
        """Arm joints (n,) at home [rad]."""
        return tuple(self.config.home.tolist())

    @property
    def finger_closed(self) -> float:
        """Travel of one finger with the gripper closed [m]."""
        return self.config.gripper.finger_position(0.0)

    @property
    def finger_open(self) -> float:
        """Travel of one finger with the gripper open [m]."""
        return self.config.gripper.finger_position(1.0)

    @property
    def arm_command_topic(self) -> str:
        """Topic of the arm's joint trajectories."""
        return self.config.arm_command_topic

    def finger_travel(self, opening: float) -> float:
        """Travel of one finger [m] for an opening of 0 (closed) to 1 (open)."""
        return self.config.gripper.finger_position(float(np.clip(opening, 0.0, 1.0)))


FINGER_GAIN = 1500.0  # N/m: a firm grasp of a 50 g block, far below the hand's 70 N
_FRICTION = (2.5, 0.05, 0.001)  # rubber pads


def _package_file(package: str, *parts: str) -> Path:
    """Return the path of a package's file. The package is not imported: what its code needs is not installed."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UnknownRobotError(f"the robot's model is in the Python package {package!r}, which is missing")
    return Path(found.submodule_search_locations[0], *parts)


def _add_tool(
    body: mujoco.MjsBody,
    pos: tuple[float, ...],
    quat: tuple[float, ...],
    camera_pos: tuple[float, ...],
    camera_quat: tuple[float, ...],
) -> None:
    """The tool centre point (z out of the hand, y along the finger opening) and the wrist camera."""
    body.add_site(name="tcp", pos=pos, quat=quat, size=[0.004] * 3, group=5)
    body.add_camera(name="wrist", pos=camera_pos, quat=camera_quat, fovy=70)


def _load_fr3() -> mujoco.MjSpec:
    """FR3 with its hand from the franky-sim wheel, reduced to collision hulls: 3k instead of 243k triangles to draw."""
    path = _package_file("franky_sim", "assets", "fr3.xml")
    spec = mujoco.MjSpec.from_file(str(path))
    spec.meshdir = str(path.parent / "meshes")
    for geom in list(spec.geoms):
        if geom.classname.name == "visual":
            spec.delete(geom)
            continue
        pad = geom.type == mujoco.mjtGeom.mjGEOM_BOX
        dark = geom.name in ("fr3_link5_collision", "fr3_link7_collision") or pad
        geom.group = 2
        geom.rgba = [0.25, 0.25, 0.27, 1] if dark else [0.9, 0.9, 0.92, 1]
        if pad:
            geom.friction = _FRICTION
    used = {geom.meshname for geom in spec.geoms}
    for mesh in list(spec.meshes):
        if mesh.name not in used:
            spec.delete(mesh)
    for joint in spec.joints:
        if joint.name.startswith("finger"):
            joint.name = "fr3_" + joint.name
    for tendon in list(spec.tendons):
        spec.delete(tendon)
    spec.delete(spec.actuator("hand"))
    for equality in list(spec.equalities):
        spec.delete(equality)
    for key in list(spec.keys):
        spec.delete(key)
    _add_fingers(spec, ("fr3_finger_joint1", "fr3_finger_joint2"), (0.0, 0.04), damping=20.0)
    _add_tool(spec.body("hand"), (0, 0, 0.1034), (1, 0, 0, 0), (0.07, 0, 0.03), (0.0, 0.68, 0.73, 0.0))
    return spec


def _load_wx250s() -> mujoco.MjSpec:
    """WidowX 250 S: this package's MJCF with the meshes of the rtb-data wheel."""
    meshes = _package_file("rtbdata", "xacro", "trossen_descriptions", "meshes", "meshes_wx250s")
    spec = mujoco.MjSpec.from_file(str(_package_file("vla_sim", "assets", "wx250s.xml")))
    spec.meshdir = str(meshes)
    _add_fingers(spec, ("left_finger", "right_finger"), (0.015, 0.037), damping=20.0)
    _add_tool(
        spec.body("gripper_link"), (0.093575, 0, 0), (0.70711, 0, 0.70711, 0), (0.0, 0, 0.07), (0.5, 0.5, -0.5, -0.5)
    )
    return spec


def _add_fingers(spec: mujoco.MjSpec, names: tuple[str, str], travel: tuple[float, float], damping: float) -> None:
    """One position actuator a finger and an equality that keeps both fingers symmetric."""
    for name in names:
        joint = spec.joint(name)
        joint.damping = [damping, 0, 0]
        joint.frictionloss = 0.0
        joint.armature = 0.1
        actuator = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        actuator.set_to_position(kp=FINGER_GAIN, kv=40.0)
        actuator.ctrllimited = True
        actuator.ctrlrange = travel
        actuator.forcelimited = True
        actuator.forcerange = (-40, 40)
    data = np.zeros(12)
    data[1] = 1.0
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT,
        name1=names[0],
        name2=names[1],
        data=data,
        objtype=mujoco.mjtObj.mjOBJ_JOINT,
        solref=(0.005, 1.0),
    )


_MODELS: dict[str, dict[str, Any]] = {
    "fr3": {"table_center_x": 0.5, "reach_x": 0.12, "reach_y": 0.2, "side_line_y": 0.15, "load": _load_fr3},
    "wx250s": {"table_center_x": 0.28, "reach_x": 0.07, "reach_y": 0.16, "side_line_y": 0.13, "load": _load_wx250s},
}
ROBOTS: tuple[str, ...] = tuple(_MODELS)  # names of the robots with a simulated model


def _load_urdf(config: RobotConfig) -> mujoco.MjSpec:
    """Any arm whose robot file names a URDF with two prismatic fingers."""
    spec, gripper = urdf_spec(config), config.gripper
    travel = (gripper.finger_position(0.0), gripper.finger_position(1.0))
    _add_fingers(spec, (gripper.joint, gripper.mimic_joint), travel, damping=20.0)
    _add_tool(spec.body(config.model.tcp_body), *tool_and_camera(config))
    return spec


@cache
def get_robot(name: str) -> SimRobot:
    """Return the simulated robot of that name, with the facts of its robot file.

    Besides the robots with a model here, any whose robot file, by name or path, has a URDF as its description.

    Raises:
        UnknownRobotError: no model of that robot; the text lists the valid names.
        RobotConfigError: its robot file is missing or invalid.
    """
    if name in _MODELS:
        return SimRobot(config=load_robot_config(name), **_MODELS[name])
    try:
        config = load_robot_config(name)
    except RobotConfigError as error:
        if "unknown robot" in str(error):
            valid = ", ".join(sorted(_MODELS))
            raise UnknownRobotError(f"unknown robot {name!r}; valid: {valid}, or a robot file with a URDF") from error
        raise
    if not config.model.is_urdf or config.model.topic:
        raise UnknownRobotError(
            f"the simulator has no model of {name!r}; valid: {', '.join(sorted(_MODELS))}, or a robot file whose model "
            "is the file of a URDF"
        )
    return SimRobot(config=config, load=partial(_load_urdf, config), **table_facts(config))
