# SPDX-License-Identifier: Apache-2.0
"""Where attention heads should look: at what a word names, and while an answer is made at object and target.

As for RT-1's TokenLearner (`attention.py`): next-token loss binds words to places slowly, and the simulator knows where
things are in the picture. Nothing is added to the model; data without places are not grounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vla_training.data.projection import bilinear_cells, project, projection_matrix
from vla_training.rt2.packing import PackedBatch
from vla_training.rt2.samples.samples import WORDS, Group

WORD_LAYER, ANSWER_LAYER = 1, 2


class Grounding:
    """Makes the loss for one robot's front camera.

    Head 0 of WORD_LAYER, at the token of a word that names a thing, looks at that thing; heads 0 and 1 of ANSWER_LAYER,
    while an answer is made, at its object and target.
    """

    def __init__(
        self, robot: str, size: tuple[int, int], grid: tuple[int, int], first_token: int, tokenizer: Any
    ) -> None:
        """size (height, width) [px]; grid (h, w) of image tokens, the first at position `first_token`."""
        self._matrix, self._size, self._grid = projection_matrix(robot, size), size, grid
        self._image = slice(first_token, first_token + grid[0] * grid[1])
        ids = tokenizer(list(WORDS), add_special_tokens=False)["input_ids"]
        self._words = [(index, one[0]) for index, one in enumerate(ids) if len(one) == 1]

    def loss(self, attentions: Sequence[Tensor], batch: PackedBatch, groups: Sequence[Group]) -> tuple[Tensor, Tensor]:
        """Cross-entropies of words and of answers, means over what counts; attentions (B, heads, L, L) a layer."""
        points = np.stack([sample.points for group in groups for sample in group.samples])
        heads = attentions[ANSWER_LAYER][batch.rows, : points.shape[1], batch.columns, self._image]  # (N, 2, h*w)
        answers = self._cross_entropy(heads, points[batch.samples.cpu().numpy()])
        rows, columns, places = self._mentions(batch, groups)
        words = self._cross_entropy(attentions[WORD_LAYER][rows, 0, columns, self._image], places)
        return words, answers

    def _mentions(
        self, batch: PackedBatch, groups: Sequence[Group]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Sequences and positions of words that name something (n,), and where that is (n, 3)."""
        nowhere = np.full((len(WORDS), 3), np.nan)
        places = np.stack([nowhere if group.places is None else group.places for group in groups])
        ids = batch.input_ids.cpu().numpy()
        found = [(np.argwhere(ids == token), index) for index, token in self._words]
        rows = np.concatenate([where[:, 0] for where, _ in found])
        columns = np.concatenate([where[:, 1] for where, _ in found])
        named = np.concatenate([np.full(len(where), index) for where, index in found])
        return rows, columns, places[rows, named]

    def _cross_entropy(self, attention: Tensor, points: NDArray[np.float64]) -> Tensor:
        """Mean over points (..., 3) [m] that are known of attention (..., h*w); 0 where none is."""
        known: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=-1))
        cells = bilinear_cells(project(self._matrix, np.nan_to_num(points)), self._size, self._grid)
        wanted = torch.from_numpy(np.where(known[..., None], cells, 0.0).astype(np.float32)).to(attention.device)
        return -(wanted * attention.float().clamp_min(1e-8).log()).sum() / max(int(known.sum()), 1)
