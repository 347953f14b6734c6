# SPDX-License-Identifier: Apache-2.0
"""Between pixels and the robot's base frame, by a camera's intrinsics and pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CameraPose:
    """A pinhole camera. matrix: K (3, 3) [px]; rotation: optical frame (z ahead, y down) to base; position [m]."""

    matrix: Array
    rotation: Array
    position: Array

    def project(self, points: Array) -> Array:
        """Return pixels (n, 2), column and row, of points (n, 3) [m]; NaN for points behind the camera."""
        seen = (np.asarray(points, dtype=np.float64) - self.position) @ self.rotation
        depth = np.where(seen[:, 2:] > 1e-6, seen[:, 2:], np.nan)
        return np.asarray((seen @ self.matrix.T)[:, :2] / depth)

    def on_plane(self, pixels: Array, heights: Array) -> Array:
        """Return the points (n, 3) [m] where rays of pixels (n, 2) reach heights (n,) [m]; NaN where they do not."""
        pixels = np.asarray(pixels, dtype=np.float64)
        homogeneous = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1)
        rays = homogeneous @ np.linalg.inv(self.matrix).T @ self.rotation.T
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = (np.asarray(heights) - self.position[2]) / rays[:, 2]
        scale = np.where(np.isfinite(scale) & (scale > 0), scale, np.nan)
        return np.asarray(self.position + scale[:, None] * rays)

    def scaled(self, size: tuple[int, int], to: tuple[int, int]) -> CameraPose:
        """Return the camera of a picture resized from `size` to `to`, (height, width) [px] each."""
        rows, columns = to[0] / size[0], to[1] / size[1]
        scale = np.array([[columns, 0, (columns - 1) / 2], [0, rows, (rows - 1) / 2], [0, 0, 1.0]])
        return CameraPose(scale @ self.matrix, self.rotation, self.position)


def matrix_of(quaternion: Array) -> Array:
    """Return the rotation matrix (3, 3) of a quaternion (4,) x y z w of any length."""
    x, y, z, w = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
