# SPDX-License-Identifier: Apache-2.0
"""Next-token loss over the whole vocabulary; for an action's translations, if asked, against neighbouring bins too."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from vla_policy.action.space import ActionSpace
from vla_policy.rt2.vocabulary import ActionVocabulary

SOFTENED = ("x", "y", "z")


class TokenLoss:
    """`soft_bins`: deviation [bins] of a Gaussian over neighbouring bins of dimensions `softened`; 0: plain loss."""

    def __init__(
        self,
        space: ActionSpace,
        vocabulary: ActionVocabulary,
        soft_bins: float = 0.0,
        softened: Sequence[str] = SOFTENED,
    ) -> None:
        self._ids = torch.tensor(vocabulary.ids)
        self._bin_of = {token: index for index, token in enumerate(vocabulary.ids)}
        self._softened = torch.tensor([space.index(name) for name in softened if name in space.names])
        self._soft_bins = soft_bins

    def __call__(self, logits: Tensor, targets: Tensor, dims: Tensor) -> Tensor:
        """Losses (N,) of logits (N, vocabulary) for target ids (N,) of dimensions (N,), -1 for text."""
        log = logits.float().log_softmax(dim=-1)
        losses = F.nll_loss(log, targets, reduction="none")
        soft = torch.isin(dims, self._softened.to(dims.device)) if self._soft_bins > 0.0 else torch.zeros_like(dims) > 0
        if not soft.any():
            return losses
        bins = torch.tensor([self._bin_of[int(t)] for t in targets[soft].tolist()], device=log.device)
        distance = (torch.arange(len(self._ids), device=log.device)[None] - bins[:, None]) / self._soft_bins
        wanted = torch.softmax(-0.5 * distance.square(), dim=-1)  # (n, bins)
        softened = -(wanted * log[soft][:, self._ids.to(log.device)]).sum(dim=-1)
        return losses.masked_scatter(soft, softened)
