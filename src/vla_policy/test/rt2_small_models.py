# SPDX-License-Identifier: Apache-2.0
"""Tiny random vision-language models of several families, with the inputs that their processors would make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from transformers import CONFIG_MAPPING, AutoModelForImageTextToText
from vla_policy.action.presets import RT2
from vla_policy.action.space import ActionSpace
from vla_policy.rt2.decoding.constraint import LegalBins
from vla_policy.rt2.decoding.decode import ActionDecoder
from vla_policy.rt2.vocabulary import ActionVocabulary, Strategy

VOCABULARY, IMAGE_TOKEN, PAD, EOS = 400, 399, 0, 1
ACTION_IDS = tuple(range(390, 134, -1))  # bin 0 first, counted backwards as OpenVLA does
LLAMA = {
    "model_type": "llama",
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": 2,
    "pad_token_id": PAD,
    "eos_token_id": EOS,
}
GEMMA = {**LLAMA, "model_type": "gemma", "head_dim": 8}
GEMMA2 = {
    **GEMMA,
    "model_type": "gemma2",
    "sliding_window": 8,
    "query_pre_attn_scalar": 8,
    "final_logit_softcapping": 0.5,
}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
MROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}


@dataclass(frozen=True)
class Small:
    """A model, how many image tokens one picture is, and what a processor makes of one seeded picture."""

    family: str
    model: Any
    image_tokens: int
    pixels: Callable[[torch.Generator], dict[str, Tensor]]

    def inputs(self, words: Sequence[int], picture: int = 0, before: int = 0, left_pad: int = 0) -> dict[str, Tensor]:
        """`words` with the picture's tokens put behind the first `before` of them, padding tokens on the left."""
        ids = [PAD] * left_pad + [*words[:before], *[IMAGE_TOKEN] * self.image_tokens, *words[before:]]
        result = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
        result["attention_mask"][:, :left_pad] = 0
        if self.family.startswith("paligemma"):
            result["token_type_ids"] = torch.zeros(1, len(ids), dtype=torch.long)
        if self.family.startswith("qwen"):
            result["mm_token_type_ids"] = (result["input_ids"] == IMAGE_TOKEN).long()
        return result | self.pixels(torch.Generator().manual_seed(picture))

    def batch(self, prompts: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """One row for each prompt, each with a picture of its own, padded on the left to the longest."""
        longest = max(map(len, prompts))
        rows = [self.inputs(words, picture=i, left_pad=longest - len(words)) for i, words in enumerate(prompts)]
        return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}

    def backend(self) -> Any:
        """What a decoder asks of a back end."""
        return SimpleNamespace(model=self.model)


def action_info(space: ActionSpace) -> Any:
    """What a decoder asks of a checkpoint."""
    return SimpleNamespace(action_space=space, vocabulary=ActionVocabulary(Strategy.OVERWRITE, ACTION_IDS))


def decoder(small: Small, space: ActionSpace = RT2, **options: Any) -> ActionDecoder:
    """A decoder of a small model with the settings `options`; `legal` is one of them."""
    legal = options.pop("legal", None) or LegalBins(space)
    return ActionDecoder(small.backend(), action_info(space), legal, **options)


def _image(size: int, *front: int) -> Callable[[torch.Generator], dict[str, Tensor]]:
    return lambda random: {"pixel_values": torch.randn(1, *front, 3, size, size, generator=random)}


def _patches(patch: int) -> Callable[[torch.Generator], dict[str, Tensor]]:
    """A picture of 4 x 6 patches, merged 2 x 2 into 6 tokens."""
    return lambda random: {
        "pixel_values": torch.randn(24, 3 * 2 * patch * patch, generator=random),
        "image_grid_thw": torch.tensor([[1, 4, 6]]),
    }


def _qwen_vision(**more: Any) -> dict[str, Any]:
    return {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32, **more}


def _efficientnet() -> dict[str, Any]:
    """Stride 32; its last convolution has round_filters(1280) channels."""
    return {
        "model_type": "efficientnet",
        "image_size": 64,
        "width_coefficient": 0.1,
        "depth_coefficient": 0.1,
        "hidden_dim": 128,
        "hidden_size": 128,
    }


GPT2 = {
    "model_type": "gpt2",
    "vocab_size": VOCABULARY,
    "n_embd": 32,
    "n_layer": 3,
    "n_head": 4,
    "n_positions": 192,
    "tie_word_embeddings": False,
    "bos_token_id": None,
    "eos_token_id": EOS,
    "pad_token_id": PAD,
}
SIGLIP = {**VISION, "model_type": "siglip_vision_model", "image_size": 28, "patch_size": 14, "vision_use_head": False}
CLIP = {**VISION, "model_type": "clip_vision_model", "image_size": 28, "patch_size": 14}
IDEFICS = {**VISION, "image_size": 32, "patch_size": 8}
QWEN2_5 = _qwen_vision(patch_size=4, window_size=16, fullatt_block_indexes=[1])
QWEN3 = _qwen_vision(patch_size=4, deepstack_visual_indexes=[0], num_position_embeddings=16)

# family: configuration, image tokens, pixels
FAMILIES: dict[str, tuple[str, dict[str, Any], int, Callable[[torch.Generator], dict[str, Tensor]]]] = {
    "paligemma": ("paligemma", {"vision_config": SIGLIP, "text_config": GEMMA, "projection_dim": 32}, 4, _image(28)),
    "paligemma2": ("paligemma", {"vision_config": SIGLIP, "text_config": GEMMA2, "projection_dim": 32}, 4, _image(28)),
    "idefics3": ("idefics3", {"vision_config": IDEFICS, "text_config": LLAMA}, 4, _image(32, 1)),
    "smolvlm": ("smolvlm", {"vision_config": IDEFICS, "text_config": LLAMA}, 4, _image(32, 1)),
    "qwen2_5_vl": (
        "qwen2_5_vl",
        {"vision_config": QWEN2_5, "text_config": {**LLAMA, "model_type": "qwen2_5_vl_text", "rope_parameters": MROPE}},
        6,
        _patches(4),
    ),
    "qwen3_vl": (
        "qwen3_vl",
        {
            "vision_config": QWEN3,
            "text_config": {**LLAMA, "model_type": "qwen3_vl_text", "head_dim": 8, "rope_parameters": MROPE},
        },
        6,
        _patches(4),
    ),
    "llava": ("llava", {"vision_config": CLIP, "text_config": LLAMA, "image_seq_length": 4}, 4, _image(28)),
    "fast_vlm": (
        "fast_vlm",
        {"vision_config": _efficientnet(), "text_config": GPT2, "image_seq_length": 4},
        4,
        _image(64),
    ),
}


def build(family: str, **text: Any) -> Small:
    """A random model of a family; `text` changes its language model's configuration."""
    kind, options, image_tokens, pixels = FAMILIES[family]
    options = {**options, "text_config": {**options["text_config"], **text}}
    torch.manual_seed(0)
    config = CONFIG_MAPPING[kind](**options, image_token_id=IMAGE_TOKEN, tie_word_embeddings=kind == "paligemma")
    model = AutoModelForImageTextToText.from_config(config).eval()
    with torch.no_grad():  # far enough from uniform that a rounding error does not change a choice
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2 if parameter.dim() > 1 else parameter)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = EOS, PAD
    return Small(family, model, image_tokens, pixels)
