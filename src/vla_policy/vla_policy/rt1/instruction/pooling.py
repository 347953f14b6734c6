# SPDX-License-Identifier: Apache-2.0
"""Word-piece embeddings to the vector that conditions the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_policy.rt1.config import RT1Config
from vla_policy.rt1.instruction.features import InstructionFeatures


class InstructionPooling(nn.Module):
    """Word-piece embeddings to one conditioning vector.

    A mean loses which noun is the object and which the target ("the red one next to the blue one"), so a few learned
    queries, aware of word order, each pick their words; the sentence embedding is kept beside them.
    """

    def __init__(self, config: RT1Config, hidden: int = 256) -> None:
        super().__init__()
        width = config.instruction_dim
        self.queries = nn.Parameter(torch.randn(config.instruction_queries, width))
        self.position = nn.Parameter(torch.randn(config.instruction_tokens, width) * 0.02)
        self.key = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(width * (config.instruction_queries + 1))
        self.mlp = nn.Sequential(
            nn.Linear(width * (config.instruction_queries + 1), hidden), nn.GELU(), nn.Linear(hidden, width)
        )

    def forward(self, features: InstructionFeatures) -> Tensor:
        """B instructions -> (B, instruction_dim)."""
        keys = self.key(features.tokens + self.position[: features.tokens.shape[1]])
        scores = self.queries @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5  # (B, queries, L)
        scores = scores.masked_fill(~features.mask[:, None, :], float("-inf"))
        picked = (scores.softmax(dim=-1) @ features.tokens).flatten(1)
        # the unit-length sentence vector is brought to the scale of the word vectors before the common norm
        sentence = features.sentence * features.sentence.shape[-1] ** 0.5
        out: Tensor = self.mlp(self.norm(torch.cat([picked, sentence], dim=1)))
        return out
