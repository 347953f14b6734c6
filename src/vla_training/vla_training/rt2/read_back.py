# SPDX-License-Identifier: Apache-2.0
"""What the model reads of an action while it is taught the rest of it: the translation, a little beside the truth.

The expert's own tokens give away what it is doing: exactly no motion sideways goes with rising, exactly none at all
with closing the hand. A small model learns the rest of an action from these tokens and not from the picture, and when
it acts it reads its own: above a block that it sees a little to one side its best guess for x is none, and so it rises.
It was seen to close the hand with probability 0.998 after reading bin 128 for z, and with 0.002 after bin 127. So in
training it reads translations far beside the truth, and has to look. Decoding stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from vla_policy.action.space import ActionSpace
from vla_policy.rt2.vocabulary import ActionVocabulary

from vla_training.rt2.packing import PackedBatch
from vla_training.rt2.token_loss import SOFTENED


class ReadBack:
    """`spread`: standard deviation [bins] of what is read around the truth of dimensions `read`; 0: the truth."""

    def __init__(
        self, space: ActionSpace, vocabulary: ActionVocabulary, spread: float, read: Sequence[str] = SOFTENED
    ) -> None:
        self._ids, self._spread = torch.tensor(vocabulary.ids), spread
        self._bins = torch.full((max(vocabulary.ids) + 1,), -1)
        self._bins[self._ids] = torch.arange(len(vocabulary.ids))
        self._read = torch.tensor([space.index(name) for name in read if name in space.names])

    def __call__(self, ids: Tensor, batch: PackedBatch) -> Tensor:
        """Token ids (B, L) of a batch with other bins where it reads translations; torch's random numbers."""
        where = torch.isin(batch.dims, self._read.to(batch.dims.device))
        if self._spread <= 0.0 or not where.any():
            return ids
        bins = self._bins.to(ids.device)[batch.targets[where]]
        noise = (self._spread * torch.randn(bins.shape, device=ids.device)).round().long()
        read = ids.clone()
        read[batch.rows[where], batch.columns[where] + 1] = self._ids.to(ids.device)[
            (bins + noise).clamp(0, len(self._ids) - 1)
        ]
        return read
