# SPDX-License-Identifier: Apache-2.0
"""MiniLM's network without the transformers library, whose import costs seconds at the start of every process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

LAYER = {  # names of nn.TransformerEncoderLayer and of BERT's checkpoints
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}
FIXED = {"hidden_act": "gelu", "position_embedding_type": "absolute", "model_type": "bert"}


class SentenceModel(nn.Module):
    """BERT without its pooling layer, for one unpadded sentence of the first segment at a time."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """`config`: BERT's config.json. Raises KeyError for a missing entry, ValueError for another kind of network."""
        super().__init__()
        for key, only in FIXED.items():
            if config.get(key, only) != only:
                raise ValueError(f"{key} is {config[key]!r}; valid is {only!r}")
        width, epsilon = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.positions = nn.Embedding(config["max_position_embeddings"], width)
        self.segments = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, eps=epsilon)
        layer = nn.TransformerEncoderLayer(
            width,
            config["num_attention_heads"],
            config["intermediate_size"],
            activation="gelu",
            layer_norm_eps=epsilon,
            batch_first=True,
        )
        self.layers = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)

    def load_bert(self, weights: Mapping[str, Tensor]) -> None:
        """Take BERT's weights. Raises KeyError for a missing one and RuntimeError for one of another shape."""
        self.load_state_dict(
            _embeddings(weights)
            | {
                f"layers.layers.{index}.{name}": value
                for index in range(len(self.layers.layers))
                for name, value in _layer(weights, f"encoder.layer.{index}").items()
            }
        )

    def forward(self, ids: Tensor) -> Tensor:
        """Word pieces (B, L), L at most the number of positions -> embeddings (B, L, width)."""
        positions = torch.arange(ids.shape[1], device=ids.device)
        hidden = self.norm(self.words(ids) + self.segments.weight[0] + self.positions(positions))
        out: Tensor = self.layers(hidden)
        return out


def _embeddings(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        "words.weight": weights["embeddings.word_embeddings.weight"],
        "positions.weight": weights["embeddings.position_embeddings.weight"],
        "segments.weight": weights["embeddings.token_type_embeddings.weight"],
        "norm.weight": weights["embeddings.LayerNorm.weight"],
        "norm.bias": weights["embeddings.LayerNorm.bias"],
    }


def _layer(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    found = {
        f"{ours}.{kind}": weights[f"{prefix}.{name}.{kind}"]
        for ours, name in LAYER.items()
        for kind in ("weight", "bias")
    }
    for kind in ("weight", "bias"):
        parts = [weights[f"{prefix}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        found[f"self_attn.in_proj_{kind}"] = torch.cat(parts)
    return found
