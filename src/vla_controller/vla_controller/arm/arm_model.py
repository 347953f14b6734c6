# SPDX-License-Identifier: Apache-2.0
"""The arm as a MuJoCo model: its own description reduced to the chain of joints, and what must not touch."""

from __future__ import annotations

import mujoco
import numpy as np
from vla_core.robot import CollisionConfig, RobotConfig, RobotConfigError
from vla_core.urdf.model_source import DescriptionError
from vla_core.urdf.tree import UrdfError

from vla_controller.arm.urdf_model import check_order, urdf_spec

TABLE = "table"
_LEAST_LENGTH = 1e-4  # [m] below which a capsule is a sphere
_SAME_TOOL = 1e-3  # [m] between tcp_at_home and the description, more than rounding


def shape_name(index: int) -> str:
    """Name of the geom that stands for ``collision.shapes[index]``."""
    return f"shape{index}"


def arm_model(config: RobotConfig) -> mujoco.MjModel:
    """The arm's chain alone: no fingers, joint ranges and capsules from the config, a site ``tcp``.

    Raises:
        RobotConfigError: the description is missing, or its arm joints are not those of the config.
    """
    spec = urdf_spec(config) if config.model.is_urdf else _mjcf_spec(config)
    for elements in (spec.keys, spec.actuators, spec.equalities, spec.tendons, spec.excludes, spec.geoms, spec.meshes):
        for element in list(elements):
            spec.delete(element)
    for joint in list(spec.joints):
        if joint.name not in config.joints:
            spec.delete(joint)
            continue
        index = config.joints.index(joint.name)
        joint.range = [config.limits.lower[index], config.limits.upper[index]]
    x, y, z, w = config.model.tcp_quaternion_xyzw
    body = _body(spec, config.model.tcp_body, config)
    body.add_site(name="tcp", pos=config.model.tcp_position, quat=[w, x, y, z])
    if config.collision is not None:
        _add_shapes(spec, config.collision, config)
    model = spec.compile()
    try:
        check_order(tuple(model.joint(i).name for i in range(model.njnt)), config.joints)
    except UrdfError as error:
        raise RobotConfigError(f"{config.robot}: {config.model.name}: {error}") from error
    _check_tool(model, config)
    return model


def _mjcf_spec(config: RobotConfig) -> mujoco.MjSpec:
    try:
        spec = mujoco.MjSpec.from_file(str(config.model.path()))
    except DescriptionError as error:
        raise RobotConfigError(f"{config.robot}: {error}") from error
    if spec.compiler.degree:
        raise RobotConfigError(f"{config.robot}: {config.model.name} must give angles in radian")
    return spec


def _check_tool(model: mujoco.MjModel, config: RobotConfig) -> None:
    """Raise RobotConfigError where the robot file says that the tool is elsewhere at home: another arm, or tool."""
    wanted = config.model.tcp_at_home
    if wanted is None:
        return
    data = mujoco.MjData(model)
    data.qpos[:] = config.home
    mujoco.mj_kinematics(model, data)
    found = data.site("tcp").xpos
    if float(np.max(np.abs(found - wanted))) > _SAME_TOOL:
        raise RobotConfigError(
            f"{config.robot}: {config.model.name} is the description of another arm or tool: at home its tool is at "
            f"{np.round(found, 4).tolist()} m, model.tcp_at_home of the robot file is {np.round(wanted, 4).tolist()}"
        )


def _body(spec: mujoco.MjSpec, name: str, config: RobotConfig) -> mujoco.MjsBody:
    body = spec.body(name)
    if body is None:
        raise RobotConfigError(f"{config.robot}: no body {name!r} in {config.model.name}")
    return body


def _add_shapes(spec: mujoco.MjSpec, collision: CollisionConfig, config: RobotConfig) -> None:
    for index, shape in enumerate(collision.shapes):
        body, name = _body(spec, shape.body, config), shape_name(index)
        if max(abs(shape.end - shape.start)) < _LEAST_LENGTH:
            kind = mujoco.mjtGeom.mjGEOM_SPHERE
            body.add_geom(name=name, type=kind, pos=shape.start, size=[shape.radius, 0, 0], mass=0)
        else:
            kind = mujoco.mjtGeom.mjGEOM_CAPSULE
            line = [*shape.start, *shape.end]
            body.add_geom(name=name, type=kind, fromto=line, size=[shape.radius, 0, 0], mass=0)
    height = [0, 0, collision.table_height]
    spec.worldbody.add_geom(name=TABLE, type=mujoco.mjtGeom.mjGEOM_PLANE, pos=height, size=[0, 0, 1])
