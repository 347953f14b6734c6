# SPDX-License-Identifier: Apache-2.0
"""Capsules around the collision shapes of a URDF: few, and as slim as the shapes allow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError
from vla_core.robot import Capsule

Array = npt.NDArray[np.float64]

MOST = 4  # capsules a link
_WORTH = 0.9  # of the volume, below which one capsule more is taken
_CUTS = (0.25, 0.35, 0.5, 0.65, 0.75)  # of the extent, where a shape is tried to be cut
_OVERLAP = 0.004  # [m] by which the two sides of a cut reach over it
_PAD = 0.002  # [m] added to every radius: points are samples of a surface


@dataclass(frozen=True, slots=True)
class Fit:
    """One capsule around some points."""

    start: Array  # (3,) [m]
    end: Array  # (3,) [m]
    radius: float  # [m]
    points: Array  # (k, 3) [m]

    @property
    def volume(self) -> float:
        """Volume [m^3]."""
        length = float(np.linalg.norm(self.end - self.start))
        return float(np.pi * self.radius**2 * (length + 4.0 / 3.0 * self.radius))


def fit_capsules(body: str, points: Array, most: int = MOST) -> tuple[Capsule, ...]:
    """Return at most `most` capsules of `body` that hold all `points` (k, 3) [m] of its surface."""
    fits = [fit(points)]
    splits = [_best_split(fits[0])]
    while len(fits) < most:
        gains = [whole.volume - sum(part.volume for part in parts) for whole, parts in zip(fits, splits, strict=True)]
        index = int(np.argmax(gains))
        if gains[index] < (1.0 - _WORTH) * sum(each.volume for each in fits):
            break
        parts = splits[index]
        fits[index : index + 1], splits[index : index + 1] = parts, [_best_split(part) for part in parts]
    return tuple(Capsule(body, each.start, each.end, each.radius + _PAD) for each in fits)


def _best_split(whole: Fit) -> list[Fit]:
    """Return the two capsules of least volume that hold the points of one; itself where it cannot be cut."""
    cuts = [[fit(half) for half in halves] for halves in _halves(whole.points)]
    return min(cuts, key=lambda parts: sum(part.volume for part in parts), default=[whole])


def fit(points: Array) -> Fit:
    """Return the capsule of least volume whose axis is a principal or coordinate axis of `points` (k, 3)."""
    outer = _outer(points)
    axes = np.linalg.eigh(np.cov(points.T))[1].T
    best = min((_along(outer, axis) for axis in (*axes, *np.eye(3))), key=lambda found: found.volume)
    return replace(best, points=points)


def _outer(points: Array) -> Array:
    """Return the corners of the convex hull: a capsule that holds them holds all."""
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:  # flat or few
        return points


def _along(points: Array, axis: Array) -> Fit:
    axis = axis / np.linalg.norm(axis)
    along = points @ axis
    across = points - along[:, None] * axis
    centre, radius = _ball(across)
    beside = np.linalg.norm(across - centre, axis=1)
    reach = np.sqrt(np.maximum(0.0, radius**2 - beside**2))  # what a cap holds beyond its end
    low, high = float(np.min(along + reach)), float(np.max(along - reach))
    if low > high:
        low = high = 0.5 * float(along.min() + along.max())
        radius = float(np.max(np.linalg.norm(points - centre - low * axis, axis=1)))
    return Fit(centre + low * axis, centre + high * axis, radius, points)


def _ball(points: Array) -> tuple[Array, float]:
    """Centre and radius of a small ball around points (k, 3), by Badoiu and Clarkson's steps towards the farthest."""
    centre: Array = 0.5 * (points.min(axis=0) + points.max(axis=0))
    for step in range(1, 40):
        farthest = points[int(np.argmax(np.sum((points - centre) ** 2, axis=1)))]
        centre = centre + (farthest - centre) / (step + 1)
    return centre, float(np.sqrt(np.max(np.sum((points - centre) ** 2, axis=1))))


def _halves(points: Array) -> list[tuple[Array, Array]]:
    found = []
    centred = points - points.mean(axis=0)
    for axis in np.linalg.eigh(np.cov(points.T))[1].T:
        along = centred @ axis
        low, high = float(along.min()), float(along.max())
        for share in _CUTS:
            cut = low + share * (high - low)
            first, second = points[along <= cut + _OVERLAP], points[along >= cut - _OVERLAP]
            if min(len(first), len(second)) >= 4:
                found.append((first, second))
    return found


def behind_tool(capsules: tuple[Capsule, ...], tcp: Array, axis: Array, room: float) -> tuple[Capsule, ...]:
    """Return the capsules of the hand kept `room` [m] behind the plane through the tool centre point.

    A capsule's round end would reach beyond flat finger tips, and the hand could not go down to the table.

    Args:
        capsules: of the body that carries the tool.
        tcp: tool centre point (3,) [m] in that body.
        axis: unit vector (3,) out of the hand.
        room: distance [m].
    """
    kept = []
    for shape in capsules:
        ends = []
        for end in (shape.start, shape.end):
            over = float((end - tcp) @ axis) + shape.radius + room
            ends.append(end - max(0.0, over) * axis)
        kept.append(Capsule(shape.body, ends[0], ends[1], shape.radius))
    return tuple(kept)
