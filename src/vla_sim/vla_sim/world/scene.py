# SPDX-License-Identifier: Apache-2.0
"""The table-top world: one robot, blocks, a bowl, distractors, two cameras. World frame = the robot's base frame."""

from __future__ import annotations

import math

import mujoco
import numpy as np

from vla_sim.world.cloth import texture
from vla_sim.world.dressing import Cloth, Dressing
from vla_sim.world.robots import SimRobot
from vla_sim.world.things import THINGS

BLOCK_HALF = 0.02  # [m]
BLOCK_COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.85, 0.08, 0.08),
    "green": (0.10, 0.62, 0.15),
    "blue": (0.10, 0.22, 0.85),
    "yellow": (0.95, 0.83, 0.08),
    "purple": (0.52, 0.12, 0.66),
}
BLOCKS: tuple[str, ...] = tuple(f"{color} block" for color in BLOCK_COLORS)
BOWL = "bowl"
DISTRACTORS: tuple[str, ...] = ("grey can", "brown ball")
BOWL_RADIUS = 0.065  # inner radius [m]
BOWL_HEIGHT = 0.04  # [m]
CAMERA = "front"
WRIST_CAMERA = "wrist"
VIEWER_CAMERA = "viewer"
TIMESTEP = 0.002  # [s]
PLAIN = Dressing()


def body_name(name: str) -> str:
    """MuJoCo body name of an object."""
    return name.replace(" ", "_")


def build_scene(robot: SimRobot, dressing: Dressing = PLAIN) -> mujoco.MjModel:
    """Compile the scene for one robot. Cameras: front (the policy's), wrist, viewer."""
    return scene_spec(robot, dressing).compile()


def scene_spec(robot: SimRobot, dressing: Dressing = PLAIN) -> mujoco.MjSpec:
    """Return the scene of `build_scene` before it is compiled."""
    spec = robot.load()
    _set_options(spec)
    for body in spec.bodies:
        if body.name != "world":
            body.gravcomp = 1.0  # arms compensate their own weight
    world = spec.worldbody
    _add_surroundings(spec, world, robot)
    for name, color in zip(BLOCKS, BLOCK_COLORS.values(), strict=True):
        solids, painted = dressing.block(name, color)
        solids.add_to(spec, _add_object(world, name, []), painted)
    _add_object(world, BOWL, _bowl_geoms())
    can = {"type": mujoco.mjtGeom.mjGEOM_CYLINDER, "size": [0.02, 0.03, 0], "rgba": [0.45, 0.47, 0.5, 1], "mass": 0.08}
    ball = {
        "type": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
        "size": [0.026, 0.026, 0.014],
        "rgba": [0.4, 0.24, 0.12, 1],
        "mass": 0.05,
    }
    for name, geom in zip(DISTRACTORS, (can, ball), strict=True):
        _add_object(world, name, [geom])
    if dressing.cloth is not None:
        _lay_cloth(spec, dressing.cloth)
    for name in dressing.things:
        THINGS[name].solids.add_to(spec, _add_object(world, name, []), THINGS[name].color)
    return spec


def _set_options(spec: mujoco.MjSpec) -> None:
    option = spec.option
    option.timestep = TIMESTEP
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC  # with impratio: grasped blocks do not creep
    option.impratio = 20
    spec.visual.quality.offsamples = 0  # multisampling and shadows would cost most of a frame
    spec.visual.global_.offwidth = 1280
    spec.visual.global_.offheight = 1024
    spec.visual.headlight.ambient = [0.45] * 3
    spec.visual.headlight.diffuse = [0.35] * 3
    spec.visual.headlight.specular = [0.05] * 3


def _add_surroundings(spec: mujoco.MjSpec, world: mujoco.MjsBody, robot: SimRobot) -> None:
    x = robot.table_center_x
    world.add_light(
        name="lamp",
        pos=[x, 0.6, 1.5],
        dir=[0, -0.4, -1],
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=[0.4] * 3,
        specular=[0.05] * 3,
        castshadow=False,
    )
    world.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[x, 0, -0.02],
        size=[0.65, 0.65, 0.02],
        rgba=[0.62, 0.52, 0.42, 1],
        friction=[0.8, 0.01, 0.001],
    )
    for sign, side in ((1, "left"), (-1, "right")):
        world.add_geom(
            name=f"{side}_line",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=[x, sign * robot.side_line_y, 0.0001],
            size=[robot.reach_x + 0.05, 0.003, 0.0002],
            rgba=[0.9, 0.9, 0.85, 1],
            contype=0,
            conaffinity=0,
        )
    world.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, pos=[0, 0, -0.6], size=[0, 0, 0.1], rgba=[0.35, 0.37, 0.4, 1]
    )
    _add_camera(world, CAMERA, np.array([x + 0.72, 0.0, 0.62]), np.array([x, 0, 0.05]), 28)
    _add_camera(world, VIEWER_CAMERA, np.array([x + 0.8, 0.9, 0.8]), np.array([x - 0.15, 0, 0.23]), 45)


def _lay_cloth(spec: mujoco.MjSpec, cloth: Cloth) -> None:
    """Give the table a pattern; its texture repeats twice along each side at scale 1."""
    texels = texture(cloth.pattern, cloth.one, cloth.other)
    height, width = texels.shape[:2]
    spec.add_texture(
        name="cloth",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        nchannel=3,
        width=width,
        height=height,
        data=texels.ravel().tolist(),
    )
    material = spec.add_material(name="cloth", texrepeat=[2.0 * cloth.scale] * 2, specular=0.0, shininess=0.0)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "cloth"
    table = spec.geom("table")
    table.material, table.rgba = "cloth", [0.5, 0.5, 0.5, 1.0]  # MuJoCo's default colour: the material's shows


def _add_camera(world: mujoco.MjsBody, name: str, eye: np.ndarray, target: np.ndarray, fovy: float) -> None:
    """A camera at `eye` looking at `target`, its x axis horizontal."""
    back = eye - target
    back /= np.linalg.norm(back)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(back, right), back], axis=1)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, rotation.flatten())
    world.add_camera(name=name, pos=eye, quat=quat, fovy=fovy)


def _add_object(world: mujoco.MjsBody, name: str, geoms: list[dict[str, object]]) -> mujoco.MjsBody:
    body = world.add_body(name=body_name(name), pos=[0, 0, -0.5])
    body.add_freejoint(name=body_name(name))
    for geom in geoms:
        body.add_geom(friction=[1.0, 0.01, 0.001], condim=4, **geom)
    return body


def _bowl_geoms() -> list[dict[str, object]]:
    """A flat bottom and twelve wall panels."""
    color = [0.88, 0.88, 0.9, 1]
    geoms: list[dict[str, object]] = [
        {
            "type": mujoco.mjtGeom.mjGEOM_CYLINDER,
            "size": [BOWL_RADIUS, 0.004, 0],
            "pos": [0, 0, 0.004],
            "rgba": color,
            "mass": 0.25,
        }
    ]
    panels = 12
    half = (BOWL_RADIUS + 0.004) * math.tan(math.pi / panels)
    for i in range(panels):
        angle = 2 * math.pi * i / panels
        geoms.append(
            {
                "type": mujoco.mjtGeom.mjGEOM_BOX,
                "size": [0.004, half, BOWL_HEIGHT / 2],
                "pos": [
                    (BOWL_RADIUS + 0.004) * math.cos(angle),
                    (BOWL_RADIUS + 0.004) * math.sin(angle),
                    BOWL_HEIGHT / 2,
                ],
                "quat": [math.cos(angle / 2), 0, 0, math.sin(angle / 2)],
                "rgba": color,
                "mass": 0.01,
            }
        )
    return geoms
