# SPDX-License-Identifier: Apache-2.0
"""A linear read-out, in training alone, of where object and target are from the hand.

RT-1 here has such a head too (`aux_outputs`): behaviour cloning learns the places of things slowly and coarsely, and an
action hangs on millimetres. What the hidden states in the middle of the language model must tell a linear layer, the
layers behind can use. The checkpoint does not hold it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vla_training.rt2.packing import PackedBatch
from vla_training.rt2.samples.samples import POINTS, Group

LAYER = 4  # hidden states behind this many layers
_SCALE = 10.0  # errors of 1 cm are where the loss turns from square to linear


class OffsetProbe(nn.Module):
    """Hidden states at an action's positions to object and target relative to the tool centre point [m]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.read = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 3 * POINTS))

    def loss(self, hidden: Tensor, batch: PackedBatch, groups: Sequence[Group]) -> tuple[Tensor, float]:
        """The loss of hidden (B, L, width), and the mean error [m]; zeros where no action has known places."""
        wanted = _offsets(groups)[batch.samples.cpu().numpy()]  # (N, points, 3)
        counts = (batch.dims.cpu().numpy() >= 0) & np.isfinite(wanted).all(axis=(1, 2))
        if not counts.any():
            return hidden.new_zeros(()), 0.0
        where = torch.from_numpy(np.flatnonzero(counts)).to(hidden.device)
        target = torch.from_numpy(wanted[counts].astype(np.float32)).to(hidden.device)
        told = self.read(hidden[batch.rows[where], batch.columns[where]].float()).view_as(target)
        error = told - target
        loss = F.smooth_l1_loss(_SCALE * error, torch.zeros_like(error), beta=0.1)
        return loss, float(error[:, 0].detach().norm(dim=-1).mean())


def _offsets(groups: Sequence[Group]) -> np.ndarray:
    """(S, points, 3) of every sample, NaN where its group does not know the hand's place."""
    rows = []
    for group in groups:
        origin = np.full(3, np.nan) if group.origin is None else group.origin
        rows += [sample.points - origin for sample in group.samples]
    return np.stack(rows)
