# SPDX-License-Identifier: Apache-2.0
"""RT-1's two passes as compiled networks: a picture to tokens, tokens to logits."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vla_policy.engine.cache import Part, Prepared
from vla_policy.engine.choice import choose
from vla_policy.rt1.network import RT1Network

LOG = logging.getLogger(__name__)
PICTURE, DECODE = "picture", "decode"


class Passes(Protocol):
    """What the policy computes for each observation."""

    def picture_tokens(self, images: Tensor, condition: Tensor) -> Tensor:
        """uint8 RGB (B, H, W, 3) and conditioning vectors (B, instruction_dim) -> (B, tokens_per_frame, d)."""

    def decode(self, tokens: Tensor, proprio: Tensor | None = None) -> Tensor:
        """tokens (B, T, tokens_per_frame, d), proprio (B, T, p) -> logits (B, T, action_dims, bins)."""


class CompiledPasses:
    """The passes for one robot compiled, those for several by the network itself."""

    def __init__(self, network: RT1Network, prepared: Prepared, threads: int = 0) -> None:
        """threads: 0 leaves the engine's choice. Raises what `Prepared.load` raises."""
        self._network, self._history = network, network.config.history
        parts = compiled_parts(network)
        self._picture = prepared.load(PICTURE, parts[PICTURE], threads)
        self._decode = prepared.load(DECODE, parts[DECODE], threads)

    def picture_tokens(self, images: Tensor, condition: Tensor) -> Tensor:
        """uint8 RGB (B, H, W, 3) and conditioning vectors (B, instruction_dim) -> (B, tokens_per_frame, d)."""
        if len(images) != 1:
            return self._network.picture_tokens(images, condition)
        return self._picture(images, condition)[0]

    def decode(self, tokens: Tensor, proprio: Tensor | None = None) -> Tensor:
        """tokens (B, T, tokens_per_frame, d), proprio (B, T, p) -> logits (B, T, action_dims, bins)."""
        if len(tokens) != 1:
            return self._network.decode(tokens, proprio)
        steps = tokens.shape[1]
        behind = self._history - steps  # frames that the causal mask hides from those that are there
        padded = [F.pad(tokens, (0, 0, 0, 0, 0, behind))]
        if proprio is not None:
            padded.append(F.pad(proprio, (0, 0, 0, behind)))
        return self._decode(*padded)[0][:, :steps]


class _Picture(nn.Module):
    def __init__(self, network: RT1Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, condition: Tensor) -> Tensor:
        tokenizer = self.network.tokenizer
        tokens: Tensor = tokenizer(tokenizer.backbone.early(images), condition)
        return tokens


class _Decode(nn.Module):
    def __init__(self, network: RT1Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, proprio: Tensor | None = None) -> Tensor:
        return self.network.decode(tokens, proprio)


def compiled_parts(network: RT1Network) -> Mapping[str, Part]:
    """What is compiled of a network, by name."""
    config, generator = network.config, torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1, *config.given_size, 3), dtype=torch.uint8, generator=generator)
    condition = torch.randn(1, config.instruction_dim, generator=generator)
    tokens = torch.randn(1, config.history, config.tokens_per_frame, config.width_of_tokens, generator=generator)
    decoded = [tokens]
    if config.proprio:
        decoded.append(torch.zeros(1, config.history, len(config.proprio)))
    return {
        PICTURE: Part(_Picture(network), [images, condition], [images.shape, condition.shape]),
        DECODE: Part(_Decode(network), decoded, [tensor.shape for tensor in decoded]),
    }


def find_passes(network: RT1Network, engine: object, device: str, folder: Path, threads: int) -> Passes:
    """Return the passes by the engine asked for, or eager ones where the compiled ones cannot be used.

    Raises ConfigurationError for an unknown engine.
    """
    prepared = choose(engine, device, folder, lambda: compiled_parts(network))
    if prepared is None:
        return network
    try:
        return CompiledPasses(network, prepared, threads)
    except (RuntimeError, ValueError) as error:  # a damaged cache, a processor that computes otherwise
        LOG.warning("engine: eager, for what is in %s cannot be used: %s", prepared.folder, error)
        return network
