# SPDX-License-Identifier: Apache-2.0
"""Primitive shapes as data: what one geom of an object's body is, before a scene is compiled."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import mujoco
import numpy as np

Vector = tuple[float, float, float]
_IDENTITY = (1.0, 0.0, 0.0, 0.0)
_GEOM = mujoco.mjtGeom


@dataclass(frozen=True, slots=True)
class Solid:
    """One convex shape of a body. `vertices` (n * 3) [m] make a mesh: the convex hull of those points."""

    kind: mujoco.mjtGeom
    size: Vector = (0.0, 0.0, 0.0)  # [m] half sizes, as MuJoCo has them
    position: Vector = (0.0, 0.0, 0.0)  # [m]
    quaternion: tuple[float, float, float, float] = _IDENTITY  # w x y z
    color: Vector | None = None  # None: the colour of the object
    vertices: tuple[float, ...] = ()
    drawn_only: bool = False  # neither mass nor contact

    def at(self, x: float, y: float, z: float, yaw: float = 0.0) -> Solid:
        """Return this shape moved to a position [m] and turned about z [rad]."""
        return replace(self, position=(x, y, z), quaternion=(math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)))

    def colored(self, color: Vector) -> Solid:
        """Return this shape in a colour of its own."""
        return replace(self, color=color)


@dataclass(frozen=True, slots=True)
class Solids:
    """The shapes of one object, and what a table has to know of it."""

    parts: tuple[Solid, ...]
    mass: float = field(default=0.05)  # [kg], spread over the parts

    def add_to(self, spec: mujoco.MjSpec, body: mujoco.MjsBody, color: Vector) -> None:
        """Add the shapes to a body; those without a colour take `color`."""
        solid = sum(not part.drawn_only for part in self.parts)
        for number, part in enumerate(self.parts):
            _add(spec, body, part, f"{body.name}_{number}", color, self.mass / solid)


def _add(spec: mujoco.MjSpec, body: mujoco.MjsBody, part: Solid, name: str, color: Vector, mass: float) -> None:
    options: dict[str, object] = {"type": part.kind, "pos": part.position, "quat": part.quaternion}
    if part.vertices:
        spec.add_mesh(name=name, uservert=list(part.vertices))
        options["meshname"] = name
    else:
        options["size"] = part.size
    if part.drawn_only:
        options |= {"contype": 0, "conaffinity": 0, "mass": 0.0}
    else:
        options |= {"friction": [1.0, 0.01, 0.001], "condim": 4, "mass": mass}
    body.add_geom(rgba=[*(part.color or color), 1.0], **options)


def box(x: float, y: float, z: float) -> Solid:
    """Return a box of these half sizes [m]."""
    return Solid(_GEOM.mjGEOM_BOX, (x, y, z))


def cylinder(radius: float, half_height: float) -> Solid:
    """Return an upright cylinder [m]."""
    return Solid(_GEOM.mjGEOM_CYLINDER, (radius, half_height, 0.0))


def ellipsoid(x: float, y: float, z: float) -> Solid:
    """Return an ellipsoid of these half axes [m]."""
    return Solid(_GEOM.mjGEOM_ELLIPSOID, (x, y, z))


def lying_capsule(radius: float, half_length: float) -> Solid:
    """Return a capsule along y [m]."""
    turn = (math.cos(math.pi / 4), math.sin(math.pi / 4), 0.0, 0.0)
    return Solid(_GEOM.mjGEOM_CAPSULE, (radius, half_length, 0.0), quaternion=turn)


def hull(*points: Vector) -> Solid:
    """Return the convex hull of points [m]."""
    return Solid(_GEOM.mjGEOM_MESH, vertices=tuple(value for point in points for value in point))


def prism(corners: int, radius: float, half_height: float, top: float = 1.0) -> Solid:
    """Return an upright prism over a regular polygon [m]; its top is `top` times as wide, 0 for a pyramid."""
    angles = 2 * np.pi * np.arange(corners) / corners
    ring = [(radius * float(np.cos(a)), radius * float(np.sin(a))) for a in angles]
    lower = [(x, y, -half_height) for x, y in ring]
    upper = [(top * x, top * y, half_height) for x, y in ring] if top else [(0.0, 0.0, half_height)]
    return hull(*lower, *upper)


def wedge(x: float, y: float, z: float) -> Solid:
    """Return a roof of these half sizes [m]: triangles at both ends of y, the ridge at the top."""
    return hull(*((sx * x, sy * y, -z) for sx in (-1, 1) for sy in (-1, 1)), (0.0, -y, z), (0.0, y, z))
