# SPDX-License-Identifier: Apache-2.0
"""Roll-pitch-yaw angles to rotation vectors and back; R = Rz(yaw) Ry(pitch) Rx(roll), quaternions x y z w."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def rotation_vector_from_rpy(rpy: FloatArray) -> FloatArray:
    """Return the rotation vector (3,) [rad], of length at most pi, of angles (3,) [rad]."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy / 2), np.sin(rpy / 2)
    vector = np.array([sr * cp * cy - cr * sp * sy, cr * sp * cy + sr * cp * sy, cr * cp * sy - sr * sp * cy])
    scalar = cr * cp * cy + sr * sp * sy
    if scalar < 0.0:
        vector, scalar = -vector, -scalar
    length = float(np.linalg.norm(vector))
    if length < 1e-12:
        return 2.0 * vector
    return np.asarray(vector * (2.0 * np.arctan2(length, scalar) / length))


def rpy_from_rotation_vector(rotation_vector: FloatArray) -> FloatArray:
    """Return roll, pitch, yaw (3,) [rad], pitch within +-pi/2, of a rotation vector (3,) [rad]."""
    angle = float(np.linalg.norm(rotation_vector))
    x, y, z = rotation_vector * (0.5 * np.sinc(angle / (2.0 * np.pi)))  # axis * sin(angle / 2)
    w = np.cos(angle / 2)
    roll = np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = np.arcsin(np.clip(2 * (w * y - z * x), -1.0, 1.0))
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return np.array([roll, pitch, yaw])
