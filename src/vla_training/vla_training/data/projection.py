# SPDX-License-Identifier: Apache-2.0
"""Where TokenLearner's first two tokens should look: at the goal object and at the target.

In behaviour cloning the gradient that binds words to places is weak, for it passes through a soft attention that
begins uniform. The simulator knows where the object is in the picture, so the attention itself is supervised in
training; nothing is added to the network.
"""

from __future__ import annotations

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vla_sim.world.world import World

SUPERVISED_TOKENS = 2


def projection_matrix(robot: str, size: tuple[int, int], camera: str = "front") -> NDArray[np.float64]:
    """Projection of the plain table's camera, as `projection_of` returns it."""
    return projection_of(World(robot), size, camera)


def projection_of(world: World, size: tuple[int, int], camera: str = "front") -> NDArray[np.float64]:
    """Pinhole projection (3, 4) from the base frame [m] to homogeneous pixels of a (height, width) picture."""
    mujoco.mj_camlight(world.model, world.data)
    height, width = size
    focal = 0.5 * height / np.tan(np.radians(float(world.model.camera(camera).fovy[0])) / 2)
    intrinsics = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    to_optical = world.data.camera(camera).xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])  # x right, y down, z ahead
    rotation = to_optical.T
    return np.asarray(intrinsics @ np.column_stack([rotation, -rotation @ world.data.camera(camera).xpos]))


def project(matrix: NDArray[np.float64], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pixels (..., 2), x to the right and y down, of points (..., 3) in the base frame [m].

    `matrix` (3, 4), or one for each row of points (n, k, 3): (n, 3, 4).
    """
    homogeneous = points @ np.swapaxes(matrix[..., :3], -1, -2) + matrix[..., None, :, 3]
    if matrix.ndim == 2:
        homogeneous = homogeneous.reshape(points.shape)
    return np.asarray(homogeneous[..., :2] / homogeneous[..., 2:])


def bilinear_cells(pixels: NDArray[np.float64], size: tuple[int, int], grid: tuple[int, int]) -> NDArray[np.float32]:
    """Weights (..., h*w) over a grid of cells whose weighted mean position is the pixel (..., 2); they sum to 1."""
    height, width = grid
    x = np.clip(pixels[..., 0] * width / size[1] - 0.5, 0.0, width - 1.0)
    y = np.clip(pixels[..., 1] * height / size[0] - 0.5, 0.0, height - 1.0)
    columns = np.maximum(0.0, 1.0 - np.abs(x[..., None] - np.arange(width)))
    rows = np.maximum(0.0, 1.0 - np.abs(y[..., None] - np.arange(height)))
    return (rows[..., :, None] * columns[..., None, :]).reshape(*x.shape, height * width).astype(np.float32)


class AttentionTargets:
    """Makes the loss for pictures of one size."""

    def __init__(self, size: tuple[int, int], grid: tuple[int, int]) -> None:
        """`size` (height, width) [px] of the picture, `grid` (h, w) cells of the feature map."""
        self._size, self._grid = size, grid

    def loss(self, attention: Tensor, goals: NDArray[np.float32], cameras: NDArray[np.float64]) -> Tensor:
        """Cross-entropy of attention (B, tokens, h*w) against goals (B, 6): object and target positions [m].

        cameras (B, 3, 4): the projection of each picture.
        """
        points = goals.reshape(len(goals), SUPERVISED_TOKENS, 3)
        wanted = torch.from_numpy(bilinear_cells(project(cameras, points), self._size, self._grid))
        wanted = wanted.to(attention.device)
        log = attention[:, :SUPERVISED_TOKENS].clamp_min(1e-8).log()
        return -(wanted * log).sum(dim=-1).mean()
