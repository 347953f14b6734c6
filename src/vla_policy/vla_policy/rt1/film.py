# SPDX-License-Identifier: Apache-2.0
"""Feature-wise linear modulation of an image map by the instruction."""

from __future__ import annotations

from torch import Tensor, nn


class FiLM(nn.Module):
    """`(1 + gamma(c)) * x + beta(c)` per channel. Zero-initialised, so a fresh one is the identity."""

    def __init__(self, condition_dim: int, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Linear(condition_dim, channels)
        self.beta = nn.Linear(condition_dim, channels)
        for layer in (self.gamma, self.beta):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x (B, C, h, w), condition (B, condition_dim) -> (B, C, h, w)."""
        gamma = self.gamma(condition)[:, :, None, None]
        beta = self.beta(condition)[:, :, None, None]
        modulated: Tensor = x * (1.0 + gamma) + beta
        return modulated
