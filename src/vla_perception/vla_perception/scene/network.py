# SPDX-License-Identifier: Apache-2.0
"""The network: a fully convolutional map a kind of object, at an eighth of the picture's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

STRIDE = 8
OUTPUTS = 4  # of each object: heat (logit), column and row of its centre within the cell [cells], height [HEIGHT_UNIT]
HEIGHT_UNIT = 0.1  # [m]


@dataclass(frozen=True, slots=True)
class SceneNetworkConfig:
    """What the network was trained for. image_size: (height, width) [px], multiples of STRIDE."""

    names: tuple[str, ...] = ("red block", "green block", "blue block", "yellow block", "purple block", "bowl")
    image_size: tuple[int, int] = (256, 320)
    width: int = 32
    dilations: tuple[int, ...] = (1, 2, 4, 2, 1)


class _Block(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, h, w) -> the same shape."""
        out: Tensor = x + torch.relu(self.norm(self.conv(x)))
        return out


class SceneNetwork(nn.Module):
    """Pictures to maps of object centres."""

    def __init__(self, config: SceneNetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or SceneNetworkConfig()
        width = self.config.width
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(*(_Block(width, dilation) for dilation in self.config.dilations))
        self.head = nn.Conv2d(width, OUTPUTS * len(self.config.names), 1)
        rare = torch.zeros(len(self.config.names), OUTPUTS)
        rare[:, 0] = -4.0  # hardly any cell holds a centre
        self.head.bias = nn.Parameter(rare.ravel())

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) from 0 to 1 -> (B, n, OUTPUTS, H / 8, W / 8)."""
        features = self.blocks(self.stem(images - 0.5))
        out: Tensor = self.head(features)
        return out.view(len(out), len(self.config.names), OUTPUTS, *out.shape[2:])


def peaks(maps: Tensor) -> Tensor:
    """Return for each object its confidence, pixel column, pixel row and height [m].

    Args:
        maps: (B, n, OUTPUTS, h, w) as the network returns them.

    Returns:
        (B, n, 4); the position is that of the hottest cell, wherever it is.
    """
    heat = maps[:, :, 0].flatten(2)  # (B, n, h * w)
    best = heat.argmax(dim=2, keepdim=True)
    width = maps.shape[-1]
    row, column = best // width, best % width
    picked = torch.stack([maps[:, :, i].flatten(2).gather(2, best)[..., 0] for i in range(OUTPUTS)], dim=-1)
    u = (column[..., 0] + 0.5 + picked[..., 1]) * STRIDE - 0.5
    v = (row[..., 0] + 0.5 + picked[..., 2]) * STRIDE - 0.5
    return torch.stack([picked[..., 0].sigmoid(), u, v, picked[..., 3] * HEIGHT_UNIT], dim=-1)


def config_from(entries: dict[str, Sequence[object]]) -> SceneNetworkConfig:
    """Return a configuration from the entries of a card. Raises KeyError or TypeError for other entries."""
    rows, columns = (int(str(value)) for value in entries["image_size"])
    return SceneNetworkConfig(
        names=tuple(str(name) for name in entries["names"]),
        image_size=(rows, columns),
        width=int(str(entries["width"])),
        dilations=tuple(int(str(value)) for value in entries["dilations"]),
    )
