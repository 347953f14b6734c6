# SPDX-License-Identifier: Apache-2.0
"""The arm as a MuJoCo model: its own description reduced to the chain of joints, and what must not touch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import mujoco
from vla_core.robot import CollisionConfig, RobotConfig, RobotConfigError

TABLE = "table"
_LEAST_LENGTH = 1e-4  # [m] below which a capsule is a sphere


def shape_name(index: int) -> str:
    """Name of the geom that stands for ``collision.shapes[index]``."""
    return f"shape{index}"


def arm_model(config: RobotConfig) -> mujoco.MjModel:
    """The arm's chain alone: no fingers, joint ranges and capsules from the config, a site ``tcp``.

    Raises:
        RobotConfigError: the description is missing, or its arm joints are not those of the config.
    """
    spec = mujoco.MjSpec.from_file(str(description_path(config)))
    for elements in (spec.keys, spec.actuators, spec.equalities, spec.tendons, spec.excludes, spec.geoms, spec.meshes):
        for element in list(elements):
            spec.delete(element)
    if spec.compiler.degree:
        raise RobotConfigError(f"{config.robot}: {config.model.file} must give angles in radian")
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
    names = tuple(model.joint(i).name for i in range(model.njnt))
    if names != config.joints:
        raise RobotConfigError(f"{config.robot}: {config.model.file} has {names}, config says {config.joints}")
    return model


def _body(spec: mujoco.MjSpec, name: str, config: RobotConfig) -> mujoco.MjsBody:
    body = spec.body(name)
    if body is None:
        raise RobotConfigError(f"{config.robot}: no body {name!r} in {config.model.file}")
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


def description_path(config: RobotConfig) -> Path:
    """Where the file is; raises RobotConfigError when it is missing."""
    found = importlib.util.find_spec(config.model.package)
    if found is None or found.origin is None:
        raise RobotConfigError(f"{config.robot}: no Python package {config.model.package!r} for the model")
    path = Path(found.origin).parent / config.model.file
    if not path.is_file():
        raise RobotConfigError(f"{config.robot}: no model at {path}")
    return path
