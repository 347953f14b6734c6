# SPDX-License-Identifier: Apache-2.0
"""Vision-language models with random weights, by the shape that decides how long they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from vla_policy.action.presets import RT2
from vla_policy.action.space import ActionSpace
from vla_policy.errors import CheckpointError
from vla_policy.rt2.decoding.memory import GIB, available_bytes
from vla_policy.rt2.vocabulary import ActionVocabulary, Strategy

WORDS = 24  # [tokens] of an instruction in its prompt
HEADROOM = 1.3  # of the weights: activations and the key-value cache


@dataclass(frozen=True, slots=True)
class Shape:
    """A configuration and what its processor would make: image tokens from a square or other picture [px]."""

    kind: str
    config: Mapping[str, Any]
    image_tokens: int
    image_size: tuple[int, int]
    vocabulary: int


def _siglip(width: int, layers: int, size: int, patch: int) -> dict[str, Any]:
    return {
        "model_type": "siglip_vision_model",
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 64,
        "image_size": size,
        "patch_size": patch,
        "vision_use_head": False,
    }


def _llama(width: int, layers: int, inner: int, vocabulary: int, heads: int) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
    }


def _gpt2(width: int, layers: int, vocabulary: int) -> dict[str, Any]:
    return {
        "model_type": "gpt2",
        "vocab_size": vocabulary,
        "n_embd": width,
        "n_layer": layers,
        "n_head": width // 64,
        "n_positions": 256,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
    }


EFFICIENTNET = {  # as the shipped model: Lite0 without its last two stages, stride 16
    "model_type": "efficientnet",
    "image_size": 160,
    "width_coefficient": 1.0,
    "depth_coefficient": 1.0,
    "kernel_sizes": [3, 3, 5, 3, 5],
    "in_channels": [32, 16, 24, 40, 80],
    "out_channels": [16, 24, 40, 80, 112],
    "strides": [1, 2, 2, 2, 1],
    "num_block_repeats": [1, 2, 2, 3, 3],
    "expand_ratios": [1, 6, 6, 6, 6],
    "hidden_dim": 1280,
    "hidden_size": 1280,
}
_FULL = {"vision_feature_select_strategy": "full", "vision_feature_layer": -1}
SHAPES = {
    "tiny": Shape(
        "llava",
        {"vision_config": _siglip(64, 2, 28, 14), "text_config": _llama(64, 2, 128, 32064, 4), **_FULL},
        4,
        (28, 28),
        32064,
    ),
    "15m": Shape(
        "fast_vlm",
        {"vision_config": EFFICIENTNET, "text_config": _gpt2(320, 8, 4096)},
        80,
        (128, 160),
        4096,
    ),
    "100m": Shape(
        "llava",
        {"vision_config": _siglip(384, 12, 224, 16), "text_config": _llama(640, 12, 1728, 32064, 10), **_FULL},
        196,
        (224, 224),
        32064,
    ),
    "paligemma3b": Shape("paligemma", {}, 256, (224, 224), 257152),  # the family's defaults are the 3B model
    "7b": Shape(
        "llava",
        {"vision_config": _siglip(1152, 27, 224, 14), "text_config": _llama(4096, 32, 11008, 32064, 32), **_FULL},
        256,
        (224, 224),
        32064,
    ),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to be measured, with what a decoder asks of a back end and of a checkpoint."""

    model: Any
    shape: Shape
    action_space: ActionSpace
    vocabulary: ActionVocabulary

    def inputs(self, seed: int, rows: int = 1, text_first: bool = False) -> dict[str, Tensor]:
        """What a processor makes of `rows` prompts of the same length, each with a picture of its own."""
        random = torch.Generator().manual_seed(seed)
        image = torch.full((rows, self.shape.image_tokens), self.model.config.image_token_id)
        text = torch.arange(10, 10 + WORDS).repeat(rows, 1)
        ids = torch.cat([text, image] if text_first else [image, text], dim=1)
        pixels = torch.randn(rows, 3, *self.shape.image_size, generator=random)
        found = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels.to(self.model.dtype)}
        if self.shape.kind == "paligemma":
            found["token_type_ids"] = torch.zeros_like(ids)
        return {name: value.to(self.model.device) for name, value in found.items()}


def build(name: str, device: str = "cpu", seed: int = 0, space: ActionSpace = RT2) -> Subject:
    """A model of a named shape with random weights: float32 on a CPU, bfloat16 on a GPU.

    Raises CheckpointError where the device's memory is too small, before anything is allocated.
    """
    from transformers import CONFIG_MAPPING, AutoModelForImageTextToText

    shape, dtype = SHAPES[name], torch.float32 if device == "cpu" else torch.bfloat16
    config = CONFIG_MAPPING[shape.kind](**shape.config)
    if shape.kind != "paligemma":  # whose default is right
        config.image_token_index = shape.vocabulary - 1
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in AutoModelForImageTextToText.from_config(config).parameters())
    check_room(name, count, dtype, available_bytes(device), device)
    torch.manual_seed(seed)
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(config, dtype=dtype).eval()
    model.generation_config.eos_token_id = None  # random weights should not end early
    model.generation_config.pad_token_id = 0
    last = shape.vocabulary - 65  # 31999 of 32064, as OpenVLA
    ids = tuple(range(last, last - space.bins, -1))
    return Subject(model, shape, space, ActionVocabulary(Strategy.OVERWRITE, ids))


def check_room(name: str, parameters: int, dtype: torch.dtype, available: int, device: str) -> None:
    """Raise CheckpointError where `available` bytes are too few for so many parameters."""
    needed = HEADROOM * parameters * dtype.itemsize
    if needed > available:
        raise CheckpointError(
            f"shape {name} has {parameters / 1e9:.1f} G parameters and needs {needed / GIB:.1f} GiB of memory in "
            f"{str(dtype).removeprefix('torch.')}; {device} has {available / GIB:.1f} GiB free. Valid are a smaller "
            f"shape ({', '.join(SHAPES)}) or a device with more"
        )
