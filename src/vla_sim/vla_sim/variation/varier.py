# SPDX-License-Identifier: Apache-2.0
"""Puts what was drawn onto a world: fields of its model, its delay. What an earlier draw changed is undone first."""

from __future__ import annotations

import colorsys
from dataclasses import replace

import mujoco
import numpy as np
from numpy.typing import NDArray
from vla_core.rotation import multiply

from vla_sim.variation.variation import Drawn
from vla_sim.world.cloth import PATTERNS
from vla_sim.world.dressing import Cloth, Dressing
from vla_sim.world.scene import BLOCKS, CAMERA, body_name
from vla_sim.world.world import World

Array = NDArray[np.float64]
_FIELDS = (
    *("cam_pos", "cam_quat", "cam_fovy", "light_dir", "light_diffuse", "light_castshadow"),
    *("geom_rgba", "geom_size", "geom_pos", "geom_rbound", "geom_aabb", "geom_friction"),
    *("body_mass", "body_inertia", "actuator_gainprm", "actuator_biasprm", "dof_damping"),
)
_HEADLIGHT = ("ambient", "diffuse")


def dress(dressing: Dressing, drawn: Drawn) -> Dressing:
    """Return the dressing with the cloth that was drawn: what has to be known before a scene is compiled."""
    if "cloth" not in drawn:
        return dressing
    names = list(PATTERNS)
    pattern = names[min(int(drawn.number("cloth", "pattern")), len(names) - 1)]
    colors = [_color(drawn, "cloth", f"_{i}") for i in (1, 2)]
    return replace(dressing, cloth=Cloth(pattern, colors[0], colors[1], drawn.number("cloth", "scale")))


class Varier:
    """Varies one world, again and again."""

    def __init__(self, world: World) -> None:
        """Remember the world's model as it is."""
        self._world, self._model = world, world.model
        self._plain = {name: getattr(world.model, name).copy() for name in _FIELDS}
        self._headlight = {name: getattr(world.model.vis.headlight, name).copy() for name in _HEADLIGHT}
        self.base_delay = world.action_delay  # [s] to which a drawn one is added

    def set(self, drawn: Drawn) -> None:
        """Make the world what was drawn; a cloth alone has to be in its dressing."""
        for name, values in self._plain.items():
            getattr(self._model, name)[:] = values
        for name, values in self._headlight.items():
            getattr(self._model.vis.headlight, name)[:] = values
        self._world.action_delay = self.base_delay
        for axis in drawn.values:
            getattr(self, f"_{axis}")(drawn)
        if "physics" in drawn:
            mujoco.mj_setConst(self._model, mujoco.MjData(self._model))

    def home(self, drawn: Drawn) -> list[float]:
        """Return where the arm starts [rad]."""
        home = np.array(self._world.robot.home)
        if "arm" in drawn:
            home += np.resize(drawn.values["arm"]["start"], len(home))
        return [float(value) for value in home]

    def _camera(self, drawn: Drawn) -> None:
        camera, values = self._model.camera(CAMERA).id, drawn.values["camera"]
        self._model.cam_pos[camera] += values["shift"]
        turn = np.deg2rad(values["turn"])
        w, *xyz = self._model.cam_quat[camera]
        half = np.array([*(0.5 * turn), 1.0])
        turned = multiply(np.array([*xyz, w]), half / np.linalg.norm(half))
        self._model.cam_quat[camera] = [turned[3], *turned[:3]]
        self._model.cam_fovy[camera] *= 1.0 + values["zoom"][0]

    def _light(self, drawn: Drawn) -> None:
        values, lamp = drawn.values["light"], self._model.light("lamp").id
        tint = 1.0 + values["tint"]
        self._model.light_diffuse[lamp] *= values["lamp"][0] * tint
        for name in _HEADLIGHT:
            getattr(self._model.vis.headlight, name)[:] *= values["headlight"][0] * tint
        about_x, about_y = np.deg2rad(values["direction"])
        x, y, z = self._model.light_dir[lamp]
        y, z = np.cos(about_x) * y - np.sin(about_x) * z, np.sin(about_x) * y + np.cos(about_x) * z
        x, z = np.cos(about_y) * x + np.sin(about_y) * z, -np.sin(about_y) * x + np.cos(about_y) * z
        self._model.light_dir[lamp] = [x, y, z]
        self._model.light_castshadow[lamp] = values["shadow"][0] >= 0.5

    def _table(self, drawn: Drawn) -> None:
        if self._world.dressing.cloth is None:
            self._paint("table", drawn)

    def _floor(self, drawn: Drawn) -> None:
        self._paint("floor", drawn)

    def _paint(self, name: str, drawn: Drawn) -> None:
        self._model.geom_rgba[self._model.geom(name).id, :3] = _color(drawn, name)

    def _cloth(self, drawn: Drawn) -> None:
        """Compiled into the scene: see `dress`."""

    def _blocks(self, drawn: Drawn) -> None:
        values = drawn.values["blocks"]
        for number, block in enumerate(BLOCKS):
            geoms, scale = self._geoms(block), values["size"][number]
            shade = 1.0 + values["shade"][3 * number : 3 * number + 3]
            self._model.geom_rgba[geoms, :3] = np.clip(self._model.geom_rgba[geoms, :3] * shade, 0.0, 1.0)
            solid = [geom for geom in geoms if self._model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_MESH]
            for name in ("geom_size", "geom_pos", "geom_rbound", "geom_aabb"):
                getattr(self._model, name)[solid] *= scale

    def _physics(self, drawn: Drawn) -> None:
        values, model = drawn.values["physics"], self._model
        for number, block in enumerate(BLOCKS):
            body, factor = model.body(body_name(block)).id, values["mass"][number]
            model.body_mass[body] *= factor
            model.body_inertia[body] *= factor
            model.geom_friction[self._geoms(block), 0] *= values["friction"][0]
        servos = [model.actuator(name).id for name in self._world.robot.joint_names]
        model.actuator_gainprm[servos] *= values["gain"][0]
        model.actuator_biasprm[servos] *= values["gain"][0]
        dofs = [model.joint(name).dofadr[0] for name in self._world.robot.joint_names]
        model.dof_damping[dofs] *= values["damping"][0]

    def _delay(self, drawn: Drawn) -> None:
        self._world.action_delay = self.base_delay + drawn.number("delay", "action")

    def _arm(self, drawn: Drawn) -> None:
        """Applies when the arm is put at its start: see `home`."""

    def _picture(self, drawn: Drawn) -> None:
        """Applies to pictures: see `develop`."""

    def _geoms(self, block: str) -> list[int]:
        body = self._model.body(body_name(block))
        return list(range(int(body.geomadr[0]), int(body.geomadr[0] + body.geomnum[0])))


def _color(drawn: Drawn, axis: str, suffix: str = "") -> tuple[float, float, float]:
    hue, saturation, value = (drawn.number(axis, f"{name}{suffix}") for name in ("hue", "saturation", "value"))
    return colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
