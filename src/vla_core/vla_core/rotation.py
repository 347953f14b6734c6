# SPDX-License-Identifier: Apache-2.0
"""Poses and unit quaternions (x, y, z, w), one at a time.

By hand and not by scipy.spatial.transform: the controller's tick calls these hundreds of times, and a Rotation object
costs about ten times as much as the few multiplications. Roll, pitch and yaw, outside of the tick, are scipy's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pose:
    """Pose of the tool centre point in the robot's base frame."""

    position: Array  # (3,) [m]
    quaternion: Array  # (4,) unit, x y z w


def multiply(a: Array, b: Array) -> Array:
    """Hamilton product ``a * b``: first rotate by ``b``, then by ``a``, both in the fixed frame."""
    ax, ay, az, aw = a.tolist()
    bx, by, bz, bw = b.tolist()
    return np.array([
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    ])  # fmt: skip


def conjugate(q: Array) -> Array:
    """Inverse of a unit quaternion."""
    inverse: Array = q * np.array([-1.0, -1.0, -1.0, 1.0])
    return inverse


def normalise(q: Array) -> Array:
    """``q`` scaled to unit length; ``q`` must not be zero."""
    unit: Array = q * (1.0 / math.sqrt(float(q @ q)))
    return unit


def from_rotation_vector(vector: Array) -> Array:
    """Quaternion of a rotation vector (axis * angle) [rad]."""
    angle = math.sqrt(float(vector @ vector))
    scale = 0.5 - angle * angle / 48.0 if angle < 1e-6 else math.sin(0.5 * angle) / angle
    x, y, z = (scale * vector).tolist()
    return np.array([x, y, z, math.cos(0.5 * angle)])


def to_rotation_vector(q: Array) -> Array:
    """Rotation vector [rad] of the shorter way, norm at most pi."""
    if q[3] < 0.0:
        q = -q
    sine = math.sqrt(float(q[:3] @ q[:3]))
    scale = 2.0 if sine < 1e-9 else 2.0 * math.atan2(sine, float(q[3])) / sine
    return scale * q[:3]


def rotation_between(start: Array, end: Array) -> Array:
    """Rotation vector in the fixed frame [rad] that, applied from the left, takes ``start`` to ``end``."""
    return to_rotation_vector(multiply(end, conjugate(start)))


def slerp(start: Array, end: Array, fraction: float) -> Array:
    """Spherical interpolation along the shorter way; fraction 0 gives ``start``, 1 gives ``end``."""
    return multiply(from_rotation_vector(fraction * rotation_between(start, end)), start)


def apply_delta(pose: Pose, translation: Array, rotation_vector: Array) -> Pose:
    """``pose`` moved by a translation along the base axes and a rotation about them, applied from the left."""
    turned = normalise(multiply(from_rotation_vector(rotation_vector), pose.quaternion))
    return Pose(pose.position + translation, turned)


def rotation_vector_from_rpy(rpy: Array) -> Array:
    """Return the rotation vector (3,) [rad], of length at most pi, of roll, pitch and yaw (3,) [rad].

    The rotation is Rz(yaw) Ry(pitch) Rx(roll).
    """
    from scipy.spatial.transform import Rotation  # 0.2 s at the start of every node, of which only policies need it

    return np.asarray(Rotation.from_euler("xyz", rpy).as_rotvec())


def rpy_from_rotation_vector(rotation_vector: Array) -> Array:
    """Return roll, pitch and yaw (3,) [rad], pitch within +-pi/2, of a rotation vector (3,) [rad]."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_rotvec(rotation_vector).as_euler("xyz"))
