# SPDX-License-Identifier: Apache-2.0
"""A simulated arm from its URDF: shapes to draw and touch, servos, tool and wrist camera."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from vla_core.robot import RobotConfig, RobotConfigError
from vla_core.rotation import multiply
from vla_core.urdf.model_source import DescriptionError
from vla_core.urdf.text import reduced_urdf
from vla_core.urdf.tree import UrdfError, parse_urdf

STIFFNESS = 30.0  # [1/rad] of a servo, times the joint's greatest effort [N m]
LEAST_EFFORT = 10.0  # [N m] where the URDF states none or little
DAMPING = 0.1  # [s] of a servo, times its stiffness
ARMATURE = 0.1  # [kg m^2]
CAMERA_POSITION = np.array([0.07, 0.0, -0.0734])  # [m] of the wrist camera in the tool frame: as on the FR3
CAMERA_TURN = np.array([0.68, 0.73, 0.0, 0.0])  # xyzw
_GREY, _DARK = (0.78, 0.8, 0.83, 1.0), (0.2, 0.2, 0.22, 1.0)


def urdf_spec(config: RobotConfig) -> mujoco.MjSpec:
    """Return the arm of a robot file whose description is a URDF, without fingers' actuators and tool.

    Arms do not collide with themselves here: their links' hulls overlap at the joints.

    Raises:
        RobotConfigError: the URDF is missing or has not the joints of the robot file.
    """
    try:
        text = config.model.urdf()
        spec = mujoco.MjSpec.from_string(
            reduced_urdf(text, config.base_frame, ("inertial", "collision"), config.model.folder)
        )
        efforts = {joint.name: joint for joint in parse_urdf(text).joints}
    except (DescriptionError, UrdfError) as error:
        raise RobotConfigError(f"{config.robot}: {config.model.name}: {error}") from error
    fingers = (config.gripper.joint, config.gripper.mimic_joint)
    missing = [name for name in (*config.joints, *fingers) if name not in efforts or spec.joint(name) is None]
    if missing:
        raise RobotConfigError(
            f"{config.robot}: {config.model.name} has not the joints {missing}; the simulator needs the arm's and two "
            "fingers', gripper.joint and gripper.mimic_joint"
        )
    _dress(spec, fingers)
    for index, name in enumerate(config.joints):
        joint = spec.joint(name)
        joint.range = [config.limits.lower[index], config.limits.upper[index]]
        _add_servo(spec, joint, max(LEAST_EFFORT, float(joint.actfrcrange[1])))
    for joint in list(spec.joints):
        if joint.name not in (*config.joints, *fingers):
            spec.delete(joint)
    return spec


def _dress(spec: mujoco.MjSpec, fingers: tuple[str, str]) -> None:
    pads = {spec.joint(name).parent.name for name in fingers}
    for geom in spec.geoms:
        pad = geom.parent.name in pads
        geom.group = 2
        geom.rgba = _DARK if pad else _GREY
        geom.contype, geom.conaffinity = 2, 1  # objects have 1 and 1
        if pad:
            geom.friction = (2.5, 0.05, 0.001)  # rubber


def _add_servo(spec: mujoco.MjSpec, joint: mujoco.MjsJoint, effort: float) -> None:
    stiffness = STIFFNESS * effort
    joint.armature, joint.frictionloss = ARMATURE, 0.0
    joint.damping = [1.0, 0, 0]
    actuator = spec.add_actuator(name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    actuator.set_to_position(kp=stiffness, kv=DAMPING * stiffness)
    actuator.ctrllimited, actuator.ctrlrange = True, joint.range
    actuator.forcelimited, actuator.forcerange = True, (-effort, effort)


def tool_and_camera(config: RobotConfig) -> tuple[tuple[float, ...], ...]:
    """Return position and rotation (wxyz, as MuJoCo has it) of the tool, then of the wrist camera, in `tcp_body`."""
    position, turn = config.model.tcp_position, config.model.tcp_quaternion_xyzw
    x, y, z, w = turn
    rotated = multiply(multiply(turn, np.array([*CAMERA_POSITION, 0.0])), np.array([-x, -y, -z, w]))[:3]
    camera = multiply(turn, CAMERA_TURN / np.linalg.norm(CAMERA_TURN))
    return tuple(position), _wxyz(turn), tuple(position + rotated), _wxyz(camera)


def _wxyz(turn: Any) -> tuple[float, ...]:
    x, y, z, w = turn
    return (w, x, y, z)


def table_facts(config: RobotConfig) -> dict[str, float]:
    """Return where objects are laid: the inner part of the workspace box."""
    half = 0.5 * (config.workspace_upper - config.workspace_lower)
    reach_y = float(min(0.2, 0.5 * half[1]))
    return {
        "table_center_x": float(0.5 * (config.workspace_lower[0] + config.workspace_upper[0])),
        "reach_x": float(min(0.12, 0.6 * half[0])),
        "reach_y": reach_y,
        "side_line_y": 0.75 * reach_y,
    }
