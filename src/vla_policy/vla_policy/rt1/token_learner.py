# SPDX-License-Identifier: Apache-2.0
"""TokenLearner v1.1: a few learned, soft summaries of an image map."""

from __future__ import annotations

from torch import Tensor, nn


class TokenLearner(nn.Module):
    """LayerNorm, MLP(64), softmax over space, weighted sum of the map: soft, with no selection of single cells."""

    def __init__(
        self, channels: int, tokens: int, bottleneck: int = 64, dropout: float = 0.0, epsilon: float = 1e-5
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=epsilon)
        self.mlp = nn.Sequential(
            nn.Linear(channels, bottleneck),
            nn.GELU(approximate="tanh"),
            nn.Dropout(dropout),
            nn.Linear(bottleneck, tokens),
            nn.Dropout(dropout),
        )

    def attention(self, cells: Tensor) -> Tensor:
        """Weight of each cell for each token: cells (B, h*w, C) -> (B, tokens, h*w), rows sum to 1."""
        weights: Tensor = self.mlp(self.norm(cells)).transpose(1, 2).softmax(dim=-1)
        return weights

    def forward(self, cells: Tensor) -> Tensor:
        """cells (B, h*w, C) -> (B, tokens, C)."""
        return self.attention(cells) @ cells
