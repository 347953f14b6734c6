# SPDX-License-Identifier: Apache-2.0
"""Where two attention heads should look while an answer is made: at the object and at the target.

As for RT-1's TokenLearner (`attention.py`): next-token loss binds words to places slowly, and the simulator knows where
things are in the picture. Nothing is added to the network; data without places are not grounded.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vla_training.attention import bilinear_cells, project, projection_matrix
from vla_training.rt2.packing import PackedBatch


class Grounding:
    """Makes the loss for one robot's front camera; head 0 of `layer` looks at the object, head 1 at the target."""

    def __init__(
        self, robot: str, size: tuple[int, int], grid: tuple[int, int], first_token: int, layer: int = 2
    ) -> None:
        """size (height, width) [px]; grid (h, w) of image tokens, the first at position `first_token`."""
        self._matrix, self._size, self._grid = projection_matrix(robot, size), size, grid
        self._first, self.layer = first_token, layer

    def loss(self, attention: Tensor, batch: PackedBatch, points: NDArray[np.float64]) -> Tensor:
        """Cross-entropy of attention (B, heads, L, L) at the predicting positions against points (S, 2, 3) [m].

        S: the batch's samples; points that are NaN count nothing. Returns the mean over what counts, 0 for none.
        """
        known: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=-1))  # (S, 2)
        cells = bilinear_cells(project(self._matrix, np.nan_to_num(points)), self._size, self._grid)  # (S, 2, h*w)
        wanted = torch.from_numpy(np.where(known[..., None], cells, 0.0).astype(np.float32)).to(attention.device)
        image = slice(self._first, self._first + self._grid[0] * self._grid[1])
        heads = attention[batch.rows, : points.shape[1], batch.columns, image]  # (N, 2, h*w)
        losses = -(wanted[batch.samples] * heads.float().clamp_min(1e-8).log()).sum(dim=-1)
        count = int(known[batch.samples.cpu().numpy()].sum())
        return losses.sum() / max(count, 1)
