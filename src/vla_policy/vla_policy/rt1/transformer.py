# SPDX-License-Identifier: Apache-2.0
"""RT-1's decoder-only Transformer and its attention mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vla_policy.rt1.config import RT1Config


def rt1_attention_mask(steps: int, context_tokens: int, action_tokens: int) -> Tensor:
    """Lower triangle minus every action-to-action pair (an action token's pair with itself included).

    Each step is `context_tokens` (image, then state) followed by `action_tokens`. Returns bool (n, n), True = row may
    attend to column. Because no action token sees another, all dimensions come out of one pass, in training as in use.
    """
    per_step = context_tokens + action_tokens
    length = steps * per_step
    is_action = torch.arange(length) % per_step >= context_tokens
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return causal & ~(is_action[:, None] & is_action[None, :])


class DecoderLayer(nn.Module):
    """Pre-norm attention and feed-forward with residuals. `feed_forward` 0: one Dense(d_model), as RT-1 has it."""

    def __init__(self, config: RT1Config) -> None:
        super().__init__()
        width, inner = config.d_model, config.heads * config.key_dim
        self.heads, self.dropout = config.heads, config.dropout
        self.norm_attention = nn.LayerNorm(width, eps=config.norm_epsilon)
        self.query_key_value = nn.Linear(width, 3 * inner)
        self.attention_out = nn.Linear(inner, width)
        self.norm_feed_forward = nn.LayerNorm(width, eps=config.norm_epsilon)
        self.feed_forward = (
            nn.Linear(width, width)
            if config.feed_forward == 0
            else nn.Sequential(nn.Linear(width, config.feed_forward), nn.GELU(), nn.Linear(config.feed_forward, width))
        )

    def attend(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, n, d), mask bool (n, n) -> (B, n, d)."""
        batch, length, _ = x.shape
        packed = self.query_key_value(x).view(batch, length, 3, self.heads, -1).transpose(1, 3)
        query, key, value = packed.unbind(dim=2)  # each (B, heads, n, key_dim)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        out: Tensor = self.attention_out(mixed.transpose(1, 2).reshape(batch, length, -1))
        return out

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, n, d), mask bool (n, n) -> (B, n, d)."""
        x = x + self.attend(self.norm_attention(x), mask)
        return x + F.dropout(self.feed_forward(self.norm_feed_forward(x)), self.dropout, self.training)


class ActionTransformer(nn.Module):
    """Context tokens of up to `history` frames -> logits over the bins of every action dimension of every frame."""

    mask: Tensor

    def __init__(self, config: RT1Config) -> None:
        super().__init__()
        self.config = config
        self.context_tokens = config.tokens_per_frame + config.state_tokens
        self.embed = nn.Linear(config.width_of_tokens, config.d_model)
        self.position = nn.Parameter(torch.randn(config.history * config.tokens_per_step, config.d_model) * 0.05)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.head = nn.Linear(config.d_model, config.bins)
        mask = rt1_attention_mask(config.history, self.context_tokens, config.action_dims)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, context: Tensor, action_embeddings: Tensor | None = None) -> Tensor:
        """context (B, T, tokens + state tokens, d) -> logits (B, T, action_dims, bins).

        The logits of a dimension are read at the position before its token. RT-1 zeroes the action embeddings;
        `action_embeddings` (B, T, action_dims, d) exists so that a test can show that they change nothing.
        """
        batch, steps, tokens, width = context.shape
        if tokens != self.context_tokens or not 1 <= steps <= self.config.history:
            raise ValueError(
                f"context is {tuple(context.shape)}; need (B, 1..{self.config.history}, "
                f"{self.context_tokens}, {self.config.width_of_tokens})"
            )
        actions = context.new_zeros(batch, steps, self.config.action_dims, width)
        if action_embeddings is not None:
            actions = action_embeddings
        x = torch.cat([context, actions], dim=2).flatten(1, 2)
        length = x.shape[1]
        x = self.embed(x) + self.position[:length]
        for layer in self.layers:
            x = layer(x, self.mask[:length, :length])
        x = x.view(batch, steps, -1, self.config.d_model)[:, :, tokens - 1 : -1]
        logits: Tensor = self.head(x)
        return logits
