# SPDX-License-Identifier: Apache-2.0
"""Tiny random vision-language models of several families, each with the processor of its family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as tf
from rt2_tokenizers import words_and_integers  # put there by conftest.py
from vla_policy.rt2.model.processors import image_only

CHAT = (
    "{% for m in messages %}user: {% for part in m['content'] %}{% if part['type'] == 'image' %}IMAGE{% else %}"
    "{{ part['text'] }}{% endif %}{% endfor %}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
GRID = tuple(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))
SMOL = ("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *GRID)
QWEN = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")


def _text(words: Any, **more: Any) -> dict[str, Any]:
    """A decoder with 32 channels and two layers."""
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    tokens = {name: getattr(words, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return {
        **sizes,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "vocab_size": len(words),
        **tokens,
        **more,
    }


def _siglip(**more: Any) -> dict[str, Any]:
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return {**sizes, "image_size": 28, "patch_size": 14, **more}


def paligemma() -> tuple[Any, Any]:
    """2x2 image tokens in front; the prompt's tokens see each other both ways; positions count from 1."""
    words = words_and_integers(("<image>",))
    images = tf.SiglipImageProcessorPil(size={"height": 28, "width": 28}, image_seq_length=4)
    images.image_seq_length = 4
    processor = tf.PaliGemmaProcessor(images, words)
    config = tf.PaliGemmaConfig(
        vision_config={"model_type": "siglip_vision_model", **_siglip(vision_use_head=False)},
        text_config={"model_type": "gemma", "head_dim": 8, **_text(words)},
        image_token_index=words.convert_tokens_to_ids("<image>"),
        projection_dim=32,
        hidden_size=32,
    )
    return tf.PaliGemmaForConditionalGeneration(config), processor


def idefics3() -> tuple[Any, Any]:
    """The picture is cut into tiles with row and column tokens between them, a small copy last."""
    words = words_and_integers(SMOL)
    images = tf.Idefics3ImageProcessorPil(size={"longest_edge": 56}, max_image_size={"longest_edge": 28})
    chat = CHAT.replace("IMAGE", "<image>").replace("user:", "User:").replace("\n", "<end_of_utterance>\n")
    processor = tf.Idefics3Processor(images, words, image_seq_len=4, chat_template=chat)
    config = tf.Idefics3Config(
        vision_config=_siglip(patch_size=7),
        text_config={"model_type": "llama", **_text(words)},
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    return tf.Idefics3ForConditionalGeneration(config), processor


def smolvlm() -> tuple[Any, Any]:
    """As idefics3; its own processor also reads videos, which needs torchvision."""
    words = words_and_integers(SMOL)
    images = tf.SmolVLMImageProcessorPil(size={"longest_edge": 56}, max_image_size={"longest_edge": 28})
    chat = CHAT.replace("IMAGE", "<image>").replace("\n", "<end_of_utterance>\n")
    processor = image_only(tf.SmolVLMProcessor)(images, words, None, image_seq_len=4, chat_template=chat)
    config = tf.SmolVLMConfig(
        vision_config=_siglip(patch_size=7),
        text_config={"model_type": "llama", **_text(words)},
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    return tf.SmolVLMForConditionalGeneration(config), processor


def qwen2_5_vl() -> tuple[Any, Any]:
    """As many image tokens as the picture is large, each with three positions."""
    words = words_and_integers(QWEN)
    images = tf.Qwen2VLImageProcessorPil(
        patch_size=14, merge_size=2, size={"shortest_edge": 28**2, "longest_edge": 84**2}
    )
    chat = CHAT.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    processor = image_only(tf.Qwen2_5_VLProcessor)(images, words, chat_template=chat)
    image, video, start, end = (words.convert_tokens_to_ids(token) for token in QWEN)
    ids = {"image_token_id": image, "video_token_id": video, "vision_start_token_id": start, "vision_end_token_id": end}
    config = tf.Qwen2_5_VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
            "window_size": 56,
        },
        text_config=_text(
            words, rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
        ),
        **ids,
    )
    return tf.Qwen2_5_VLForConditionalGeneration(config), processor


def llava() -> tuple[Any, Any]:
    """A CLIP of 2x2 patches whose class token is left out; no chat template."""
    words = words_and_integers(("<image>",))
    images = tf.CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    processor = tf.LlavaProcessor(
        images, words, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )
    config = tf.LlavaConfig(
        vision_config={"model_type": "clip_vision_model", **_siglip(projection_dim=16)},
        text_config={"model_type": "llama", **_text(words)},
        image_token_index=words.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy="default",
        vision_feature_layer=-1,
    )
    return tf.LlavaForConditionalGeneration(config), processor


def fast_vlm() -> tuple[Any, Any]:
    """What ships here, smaller: an EfficientNet of stride 32 before a GPT-2."""
    words = words_and_integers(("<image>",))
    images = tf.EfficientNetImageProcessorPil(size={"height": 64, "width": 96}, include_top=False)
    processor = tf.LlavaProcessor(images, words, patch_size=32, vision_feature_select_strategy="full")
    vision = tf.EfficientNetConfig(width_coefficient=0.1, depth_coefficient=0.1, hidden_dim=128, hidden_size=128)
    tokens = {name: getattr(words, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    text = tf.GPT2Config(
        n_embd=32, n_layer=2, n_head=4, n_positions=512, vocab_size=len(words), tie_word_embeddings=False, **tokens
    )
    config = tf.FastVlmConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        tie_word_embeddings=False,
    )
    model = tf.FastVlmForConditionalGeneration(config)
    for layer in model.modules():  # with transformers' own start nothing of a picture arrives
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
        elif isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(layer.weight)
    return model, processor


FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    made.__name__: made for made in (paligemma, idefics3, smolvlm, qwen2_5_vl, llava, fast_vlm)
}


def make(family: str, seed: int = 0) -> tuple[Any, Any]:
    """Model, in evaluation mode, and processor of a family, with random weights."""
    torch.manual_seed(seed)
    model, processor = FAMILIES[family]()
    return model.eval().requires_grad_(False), processor
