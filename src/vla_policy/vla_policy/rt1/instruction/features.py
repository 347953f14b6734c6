# SPDX-License-Identifier: Apache-2.0
"""What the network reads of an instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class InstructionFeatures:
    """What the network reads of an instruction; B instructions of L word pieces."""

    tokens: Tensor  # (B, L, 384) contextual embeddings, zero where masked
    mask: Tensor  # (B, L) bool, True for real word pieces
    sentence: Tensor  # (B, 384) mean over the word pieces, unit length

    @classmethod
    def stack(cls, items: Sequence[InstructionFeatures]) -> InstructionFeatures:
        """Concatenate along the batch; all have the same L."""
        return cls(
            torch.cat([item.tokens for item in items]),
            torch.cat([item.mask for item in items]),
            torch.cat([item.sentence for item in items]),
        )

    def select(self, index: Tensor) -> InstructionFeatures:
        """Rows by index (n,): a table of distinct instructions becomes a batch."""
        return InstructionFeatures(self.tokens[index], self.mask[index], self.sentence[index])

    def to(self, device: torch.device | str) -> InstructionFeatures:
        """The same features on another device."""
        return InstructionFeatures(self.tokens.to(device), self.mask.to(device), self.sentence.to(device))


def normalise_instruction(text: str) -> str:
    """Lower case, single spaces, no closing punctuation: what is encoded, and the cache's key.

    Raises ValueError when nothing is left.
    """
    words = " ".join(text.lower().split()).rstrip(".!? ")
    if not words:
        raise ValueError(f"the instruction holds no words: {text[:80]!r}")
    return words


class Encoder(Protocol):
    """Turns an instruction into what the network's `condition` takes."""

    @property
    def example(self) -> str:
        """An instruction that it knows."""

    def __call__(self, text: str) -> InstructionFeatures | Tensor:
        """Features, or a vector (1, instruction_dim). Raises ValueError for a text that it cannot encode."""
