# SPDX-License-Identifier: Apache-2.0
"""The scene as people see it: a wooden table, a tiled floor, shadows. A model of its own, for the outside camera alone.

It has the bodies and joints of the simulated model, whose state is copied into it for each picture; the pictures of
the policy's cameras come from the simulated model and do not depend on anything here.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from vla_sim.world.camera import Camera
from vla_sim.world.dressing import Dressing
from vla_sim.world.robots import SimRobot
from vla_sim.world.scene import BLOCKS, BOWL, DISTRACTORS, PLAIN, body_name, scene_spec
from vla_sim.world.world import World

Image = NDArray[np.uint8]
_WOOD = (512, 512)  # [pixels]
_LEG = 0.035  # [m] half side of a table leg
_NO_COLLISION = {"contype": 0, "conaffinity": 0}


class OutsideCamera(Camera):
    """Renders the decorated scene in the state of a world. Belongs to the thread that makes it."""

    def __init__(self, world: World, height: int = 460, width: int = 640) -> None:
        """Compile the decorated scene: about a quarter of a second."""
        self._state = world.data
        self._shown = build_outside_view(world.robot, world.dressing)
        self._data = mujoco.MjData(self._shown)
        super().__init__(world, height, width, model=self._shown)
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 1

    def look(self, name: str = "viewer") -> None:
        """Take in the world's present state: all that needs the world to stand still."""
        self._data.qpos[:] = self._state.qpos
        mujoco.mj_kinematics(self._shown, self._data)
        mujoco.mj_camlight(self._shown, self._data)
        self._renderer.update_scene(self._data, name)


def build_outside_view(robot: SimRobot, dressing: Dressing = PLAIN) -> mujoco.MjModel:
    """Compile the decorated scene; positions of its joints are those of `build_scene`, in the same order."""
    spec = scene_spec(robot, dressing)
    _set_light(spec, robot)
    _add_materials(spec)
    _dress(spec, robot, dressing)
    return spec.compile()


def wood(seed: int = 4) -> Image:
    """Return a texture (512, 512, 3) of boards with grain, the same for the same seed."""
    rng = np.random.default_rng(seed)
    rows, columns = _WOOD
    x, y = np.meshgrid(np.linspace(0.0, 1.0, columns), np.linspace(0.0, 1.0, rows))
    board = np.minimum((y * 5).astype(int), 4)
    shade, phase = rng.uniform(0.86, 1.06, 5)[board], rng.uniform(0.0, 9.0, 5)[board]
    warp = 0.35 * np.sin(2.1 * np.pi * x + phase) + 0.16 * np.sin(5.3 * np.pi * x + 2.3 * phase)
    rings = np.sin(2.0 * np.pi * (9.0 * (y * 5 % 1.0) + warp + 0.6 * phase))
    fibre = _streaks(rng, rows, columns)
    light = shade * (1.0 + 0.055 * rings + 0.08 * fibre)
    seam = np.abs(y * 5 - np.round(y * 5)) < 0.012
    light = np.where(seam, 0.55 * light, light)
    color = np.array([0.70, 0.50, 0.32]) * 255.0
    return np.asarray(np.clip(light[:, :, None] * color, 0.0, 255.0), dtype=np.uint8)


def _streaks(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    """Noise (rows, columns) that is long along x, with mean 0 and deviation 1."""
    noise = np.fft.rfft(rng.normal(size=(rows, columns)), axis=1)
    noise *= np.exp(-0.35 * np.arange(noise.shape[1]))
    streaks = np.fft.irfft(noise, columns, axis=1)
    return np.asarray((streaks - streaks.mean()) / streaks.std())


def _set_light(spec: mujoco.MjSpec, robot: SimRobot) -> None:
    spec.visual.quality.shadowsize = 1024  # with 2048, or with multisampling, a picture costs twice as much
    spec.visual.map.shadowclip = 0.9
    spec.visual.map.haze = 0.35
    spec.visual.rgba.haze = [0.62, 0.68, 0.75, 1.0]
    spec.visual.headlight.ambient = [0.34] * 3
    spec.visual.headlight.diffuse = [0.26] * 3
    spec.visual.headlight.specular = [0.0] * 3
    lamp = spec.light("lamp")
    lamp.castshadow = True
    lamp.pos = [robot.table_center_x + 0.5, 0.9, 1.9]
    lamp.dir = [-0.22, -0.34, -1.0]
    lamp.diffuse = [0.62, 0.60, 0.56]
    lamp.specular = [0.25] * 3


def _add_materials(spec: mujoco.MjSpec) -> None:
    texture = mujoco.mjtTexture
    rgb = mujoco.mjtTextureRole.mjTEXROLE_RGB
    height, width = _WOOD
    spec.add_texture(
        name="wood", type=texture.mjTEXTURE_2D, nchannel=3, width=width, height=height, data=wood().ravel().tolist()
    )
    spec.add_texture(
        name="tiles",
        type=texture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        mark=mujoco.mjtMark.mjMARK_EDGE,
        rgb1=[0.42, 0.46, 0.50],
        rgb2=[0.38, 0.42, 0.46],
        markrgb=[0.31, 0.34, 0.38],
        width=512,
        height=512,
    )
    spec.add_texture(
        name="sky",
        type=texture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.78, 0.83, 0.88],
        rgb2=[0.45, 0.52, 0.60],
        width=256,
        height=256 * 6,
    )
    for name, repeat, specular in (("wood", (1.0, 1.0), 0.25), ("tiles", (4.0, 4.0), 0.1)):
        material = spec.add_material(name=name, texrepeat=list(repeat), specular=specular, shininess=0.3)
        material.textures[rgb] = name
    for name, color, specular in (
        ("shell", (0.93, 0.93, 0.95, 1.0), 0.6),
        ("joint", (0.16, 0.17, 0.19, 1.0), 0.5),
        ("steel", (0.30, 0.31, 0.34, 1.0), 0.6),
    ):
        spec.add_material(name=name, rgba=list(color), specular=specular, shininess=0.7)


def _dress(spec: mujoco.MjSpec, robot: SimRobot, dressing: Dressing) -> None:
    """Materials on what is there, and legs under the table."""
    plain = [0.5, 0.5, 0.5, 1.0]  # MuJoCo's default colour: the material's shows
    for name, material in (("table", "wood"), ("floor", "tiles")):
        geom = spec.geom(name)
        geom.material, geom.rgba = material, plain
    others = {"world", *(body_name(name) for name in (*BLOCKS, BOWL, *DISTRACTORS, *dressing.things))}
    for geom in spec.geoms:
        if geom.parent.name not in others:  # the robot's
            geom.material, geom.rgba = ("joint" if geom.rgba[0] < 0.5 else "shell"), plain
    for x in (-1, 1):
        for y in (-1, 1):
            spec.worldbody.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=[robot.table_center_x + 0.59 * x, 0.59 * y, -0.32],
                size=[_LEG, _LEG, 0.28],
                material="steel",
                **_NO_COLLISION,
            )
