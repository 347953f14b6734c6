# SPDX-License-Identifier: Apache-2.0
"""Training of the scene network: heat at the objects' centres, their place within the cell, their height."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from vla_perception.scene.network import HEIGHT_UNIT, STRIDE, SceneNetwork

from vla_training.scene.samples import SceneSample


@dataclass(frozen=True, slots=True)
class SceneTrainSettings:
    """How the network is trained."""

    steps: int = 900
    batch: int = 12
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class SceneData:
    """Pictures (N, H, W, 3) and for each of n objects pixel column, row, height [m] and visibility: (N, n, 4)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.float32]

    @classmethod
    def of(cls, samples: Sequence[SceneSample]) -> SceneData:
        """Stack samples."""
        return cls(np.stack([s.image for s in samples]), np.stack([_label(s) for s in samples]))

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
        """Return augmented pictures (B, 3, H, W) and labels (B, n, 4)."""
        rows = rng.integers(len(self.images), size=size)
        images = torch.from_numpy(_photometric(self.images[rows], rng))
        labels = torch.from_numpy(self.labels[rows].copy())
        flip = torch.from_numpy(rng.random(size) < 0.5)
        images[flip] = images[flip].flip(-1)
        labels[flip, :, 0] = images.shape[-1] - 1 - labels[flip, :, 0]
        return images, labels


def _label(sample: SceneSample) -> NDArray[np.float32]:
    columns = [*np.nan_to_num(sample.pixels).T, np.nan_to_num(sample.positions[:, 2]), sample.visible]
    return np.stack(columns, axis=1).astype(np.float32)


def _photometric(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return pictures (B, 3, H, W) from 0 to 1 of (B, H, W, 3): gain, brightness, gamma and noise as cameras differ."""
    out = np.empty((len(images), 3, *images.shape[1:3]), dtype=np.float32)
    levels = np.linspace(0.0, 1.0, 256)
    noise = rng.standard_normal((3, *images.shape[1:3]), dtype=np.float32)
    for index, image in enumerate(images):
        gain, shift, gamma = rng.uniform(0.7, 1.3), rng.uniform(-0.06, 0.06), rng.uniform(0.8, 1.25)
        for channel in range(3):
            table = np.clip(levels * gain * rng.uniform(0.93, 1.07) + shift, 0.0, 1.0) ** gamma
            out[index, channel] = table.astype(np.float32)[image[:, :, channel]]
        out[index] += float(rng.uniform(0, 0.02)) * np.roll(noise, int(rng.integers(1000)), axis=2)
    return out


def scene_loss(maps: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of maps (B, n, 4, h, w) against labels (B, n, 4)."""
    h, w = maps.shape[-2:]
    visible = labels[:, :, 3] > 0.5
    place = (labels[:, :, :2] + 0.5) / STRIDE  # in cells
    columns, rows = torch.arange(w) + 0.5, torch.arange(h) + 0.5
    dx = place[:, :, 0, None, None] - columns  # (B, n, 1, w)
    dy = place[:, :, 1, None, None] - rows[:, None]  # (B, n, h, 1)
    far = torch.maximum(dx.abs(), dy.abs()).expand(-1, -1, h, w)
    target = ((far <= 0.5) & visible[..., None, None]).float()
    around = (far < 1.6) & visible[..., None, None]
    weight = torch.where(target > 0, 20.0, torch.where(around, 0.0, 1.0))
    heat = nn.functional.binary_cross_entropy_with_logits(maps[:, :, 0], target, weight, reduction="none")
    heat_loss = (heat * _focus(maps[:, :, 0].detach(), target)).sum() / (visible.sum() + len(maps))
    wanted = torch.stack(
        [
            dx.expand(-1, -1, h, w),
            dy.expand(-1, -1, h, w),
            (labels[:, :, 2] / HEIGHT_UNIT)[..., None, None].expand_as(far),
        ],
        dim=2,
    )
    near = (far < 1.2) & visible[..., None, None]
    error = nn.functional.smooth_l1_loss(maps[:, :, 1:], wanted, reduction="none", beta=0.05).sum(dim=2)
    return heat_loss + 2.0 * (error * near).sum() / near.sum().clamp(min=1)


def _focus(logits: Tensor, target: Tensor) -> Tensor:
    """Weights that leave out what is decided already (focal loss)."""
    sure = torch.where(target > 0, logits.sigmoid(), 1 - logits.sigmoid())
    return (1 - sure) ** 2


def train_scene(network: SceneNetwork, data: SceneData, settings: SceneTrainSettings) -> Iterator[tuple[int, float]]:
    """Train in place; yields (step, loss)."""
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps, pct_start=0.1)
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for step in range(1, settings.steps + 1):
        images, labels = data.batch(rng, settings.batch)
        loss = scene_loss(network(images.to(memory_format=torch.channels_last)), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        yield step, loss.item()
    network.eval()
