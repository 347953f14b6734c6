# SPDX-License-Identifier: Apache-2.0
"""Points on the collision shapes of a URDF, one cloud a link of the arm, as MuJoCo reads the shapes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
import numpy.typing as npt
from vla_core.urdf.text import reduced_urdf

from vla_controller.describe.arm_facts import ArmFacts

Array = npt.NDArray[np.float64]

POINTS = 1500  # a geom


@dataclass(frozen=True, slots=True)
class Clouds:
    """Points [m] of each arm link (what hangs on it by other joints included), in the order from base to tool."""

    links: tuple[str, ...]
    points: tuple[Array, ...]  # (k, 3) in the link; k may be 0


def clouds(text: str, folder: Path | None, facts: ArmFacts) -> Clouds:
    """Return the clouds of an arm; fingers count where they are open and where they are closed.

    Args:
        text: the URDF.
        folder: of the URDF, from which meshes are found.
        facts: the arm.
    """
    model = mujoco.MjSpec.from_string(reduced_urdf(text, facts.base, ("collision",), folder)).compile()
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    carriers = [0, *(model.jnt_bodyid[model.joint(name).id] for name in facts.joints)]  # the world is the base
    surfaces = [(geom, _surface(model, geom, rng)) for geom in range(model.ngeom)]
    found: list[list[Array]] = [[] for _ in carriers]
    others = [j for j in range(model.njnt) if model.joint(j).name not in facts.joints]
    for end in (0, 1):
        data.qpos[others] = model.jnt_range[others, end]
        mujoco.mj_kinematics(model, data)
        for geom, local in surfaces:
            carrier = _carrier(model, int(model.geom_bodyid[geom]), carriers)
            world = data.geom_xpos[geom] + local @ data.geom_xmat[geom].reshape(3, 3).T
            body = carriers[carrier]
            found[carrier].append((world - data.xpos[body]) @ data.xmat[body].reshape(3, 3))
    links = (facts.base, *(model.body(body).name for body in carriers[1:]))
    return Clouds(links, tuple(np.concatenate(parts) if parts else np.zeros((0, 3)) for parts in found))


def _carrier(model: mujoco.MjModel, body: int, carriers: list[int]) -> int:
    """Index of the arm link that a body hangs on."""
    while body not in carriers:
        body = int(model.body_parentid[body])
    return carriers.index(body)


def _surface(model: mujoco.MjModel, geom: int, rng: np.random.Generator) -> Array:
    """Points (k, 3) on a geom's surface, in its frame."""
    kind, size = model.geom_type[geom], model.geom_size[geom]
    if kind == mujoco.mjtGeom.mjGEOM_MESH:
        return _mesh(model, int(model.geom_dataid[geom]), rng)
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        points = rng.uniform(-1.0, 1.0, (POINTS, 3))
        axis = rng.integers(0, 3, POINTS)
        points[np.arange(POINTS), axis] = np.sign(points[np.arange(POINTS), axis])
        corners = np.array(np.meshgrid((-1.0, 1.0), (-1.0, 1.0), (-1.0, 1.0))).reshape(3, 8).T
        return np.asarray(np.concatenate((points, corners)) * size)
    angle = rng.uniform(-np.pi, np.pi, POINTS)
    if kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        height = np.concatenate((rng.uniform(-1.0, 1.0, POINTS // 2), rng.choice((-1.0, 1.0), POINTS - POINTS // 2)))
        return np.stack((size[0] * np.cos(angle), size[0] * np.sin(angle), size[1] * height), axis=1)
    directions = rng.normal(size=(POINTS, 3))
    return np.asarray(size[0] * directions / np.linalg.norm(directions, axis=1, keepdims=True))  # a sphere


def _mesh(model: mujoco.MjModel, mesh: int, rng: np.random.Generator) -> Array:
    first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    vertices = model.mesh_vert[first : first + count].astype(np.float64)
    start, faces = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
    corners = vertices[model.mesh_face[start : start + faces]]  # (f, 3, 3)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    chosen = corners[rng.choice(len(corners), POINTS, p=areas / areas.sum())]
    weights = rng.dirichlet((1.0, 1.0, 1.0), POINTS)
    samples = np.einsum("kc,kcx->kx", weights, chosen)
    few = vertices if count <= POINTS else vertices[rng.choice(count, POINTS, replace=False)]
    return np.asarray(np.concatenate((samples, few)))
