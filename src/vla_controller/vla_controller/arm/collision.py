# SPDX-License-Identifier: Apache-2.0
"""How near the arm is to itself and to the table, and whether a motion stays clear of both."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt
from vla_core.robot import CollisionConfig

from vla_controller.arm.arm_model import TABLE, shape_name

Array = npt.NDArray[np.float64]

_FAR = 10.0  # [m] up to which distances are computed
_STALE = 0.1  # [rad] of any joint after which distances are recomputed
_SAME = 1e-6  # [m] within which a distance counts as unchanged


@dataclass(frozen=True, slots=True)
class Gap:
    """Two geoms and what lies between them."""

    first: int  # geom
    second: int  # geom
    margin: float  # [m] to keep
    name: str  # the two bodies, for people


class Clearance:
    """Distances of one arm. Not safe for several threads at once.

    A distance changes by no more than the turn of each joint between the two bodies times its reach: what was measured
    once says for a neighbourhood which gaps are wide, and only the others are measured again.
    """

    def __init__(self, model: mujoco.MjModel, collision: CollisionConfig) -> None:
        """``model`` is that of :func:`vla_controller.arm.arm_model.arm_model`."""
        self._model, self._data = model, mujoco.MjData(model)
        self.gaps = _gaps(model, collision)
        self._reach = _reach(model, self.gaps)  # (gaps, n) [m/rad]
        self._fromto = np.zeros(6)
        self._jacobian = np.zeros((2, 3, model.nv))
        self._centre, self._known = np.full(model.nv, np.inf), np.zeros(len(self.gaps))

    def distances(self, q: Array) -> Array:
        """Distance of every gap less its margin [m], negative when too near, for joints ``q`` (n,) [rad]."""
        self._data.qpos[:] = q
        mujoco.mj_kinematics(self._model, self._data)
        return np.array([self._distance(self._data, gap) for gap in self.gaps])

    def near(self, low: Array, high: Array, within: float) -> list[int]:
        """Gaps that may be nearer than ``within`` [m] + margin for some q between ``low`` and ``high`` (n,) [rad]."""
        turn = np.maximum(np.abs(low - self._centre), np.abs(high - self._centre))
        if not turn.max() < _STALE:
            self._centre = 0.5 * (low + high)
            self._known = self.distances(self._centre)
            turn = 0.5 * (high - low)
        gaps: list[int] = np.flatnonzero(self._known - self._reach @ turn <= within).tolist()
        return gaps

    def blocked(self, now: Array, ahead: Array) -> str:
        """Names the gap that moving from ``now`` (n,) through the rows of ``ahead`` (k, n) [rad] would close, or "".

        What is too near already may move, as long as it does not get nearer.
        """
        gaps = self.near(ahead.min(axis=0), ahead.max(axis=0), 0.0)
        if not gaps:
            return ""
        least = np.min([self._some(row, gaps) for row in ahead], axis=0)
        if least.min() >= 0.0:
            return ""
        worse = np.where(least < np.minimum(0.0, self._some(now, gaps)) - _SAME, least, np.inf)
        return self.gaps[gaps[int(np.argmin(worse))]].name if np.isfinite(worse).any() else ""

    def rows(self, data: mujoco.MjData, gaps: list[int]) -> tuple[Array, Array]:
        """Gradients (k, n) and distances less margin (k,) of some gaps.

        ``data`` holds positions and the frames that Jacobians need (mj_kinematics, mj_comPos).
        """
        gradients, distances = np.zeros((len(gaps), self._model.nv)), np.zeros(len(gaps))
        for k, index in enumerate(gaps):
            gap = self.gaps[index]
            distances[k] = self._distance(data, gap)
            way = self._fromto[3:] - self._fromto[:3]
            length = float(np.sqrt(way @ way))
            if length > 1e-9:
                outside = distances[k] + gap.margin > 0.0
                gradients[k] = (1.0 if outside else -1.0) / length * way @ self._relative_motion(data, gap)
        return gradients, distances

    def _some(self, q: Array, gaps: list[int]) -> Array:
        self._data.qpos[:] = q
        mujoco.mj_kinematics(self._model, self._data)
        return np.array([self._distance(self._data, self.gaps[index]) for index in gaps])

    def _relative_motion(self, data: mujoco.MjData, gap: Gap) -> Array:
        """Jacobian (3, n) of the second witness point against the first."""
        for k, geom in enumerate((gap.first, gap.second)):
            point, body = self._fromto[3 * k : 3 * k + 3], self._model.geom_bodyid[geom]
            mujoco.mj_jac(self._model, data, self._jacobian[k], None, point, body)
        motion: Array = self._jacobian[1] - self._jacobian[0]
        return motion

    def _distance(self, data: mujoco.MjData, gap: Gap) -> float:
        return float(mujoco.mj_geomDistance(self._model, data, gap.first, gap.second, _FAR, self._fromto)) - gap.margin


def _gaps(model: mujoco.MjModel, collision: CollisionConfig) -> list[Gap]:
    geoms: dict[str, list[int]] = {}
    for index, shape in enumerate(collision.shapes):
        geoms.setdefault(shape.body, []).append(model.geom(shape_name(index)).id)
    gaps = [
        Gap(first, second, collision.margin, f"{a} and {b}")
        for a, b in collision.pairs
        for first in geoms[a]
        for second in geoms[b]
    ]
    table = model.geom(TABLE).id
    return gaps + [Gap(table, geom, 0.0, f"{body} and the table") for body in collision.table for geom in geoms[body]]


def _reach(model: mujoco.MjModel, gaps: list[Gap]) -> Array:
    """Upper bound of how fast each joint (columns) changes each gap (rows) [m/rad]."""
    away = np.zeros(model.nbody)  # from a body's origin to the farthest point of what hangs on it
    for body in range(model.nbody - 1, 0, -1):
        for geom in np.flatnonzero(model.geom_bodyid == body):
            away[body] = max(away[body], _norm(model.geom_pos[geom]) + float(model.geom_size[geom][:2].sum()))
        parent = model.body_parentid[body]
        away[parent] = max(away[parent], _norm(model.body_pos[body]) + away[body])
    moved = [[_moved(model, model.geom_bodyid[geom]) for geom in (gap.first, gap.second)] for gap in gaps]
    reach = away[model.jnt_bodyid]
    return np.array([reach * (first ^ second) for first, second in moved])


def _moved(model: mujoco.MjModel, body: int) -> npt.NDArray[np.bool_]:
    """Which joints move a body (n,)."""
    chain = []
    while body > 0:
        chain.append(body)
        body = model.body_parentid[body]
    moved: npt.NDArray[np.bool_] = np.isin(model.jnt_bodyid, chain)
    return moved


def _norm(vector: Array) -> float:
    return float(np.sqrt(vector @ vector))
