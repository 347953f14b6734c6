# SPDX-License-Identifier: Apache-2.0
"""Hyperparameters of the co-fine-tuning of RT-2."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RT2Settings:
    """Hyperparameters. The rate is constant after the warm-up and falls to zero over the last `decay` of the steps.

    images: pictures an update; samples: prompts a picture, fewer where a frame does not have as many; soft_bins: [bins]
    spread of a translation's targets, 0 is the plain next-token loss; read_back: [bins] spread around the truth of the
    translations that the model reads while it learns the rest of the action; grounding: weight of the attention loss, 0
    for neither it nor the probe; ema: 0 keeps no averaged weights.
    """

    steps: int = 3200
    images: int = 32
    samples: int = 4
    robot_share: float = 0.66
    rate: float = 1e-3
    vision_rate: float = 2e-4
    warmup: int = 150
    decay: float = 0.35
    weight_decay: float = 0.02
    clip: float = 1.0
    ema: float = 0.998
    soft_bins: float = 0.0
    read_back: float = 0.0
    grounding: float = 0.0
    validation: float = 0.03  # share of episodes held out
    seed: int = 0
    bf16: bool = False
    report_every: int = 20
    validate_every: int = 500

    def rate_factor(self, step: int) -> float:
        """What both rates are multiplied by at a step counted from 0."""
        left = min(1.0, (self.steps - step) / max(1.0, self.decay * self.steps))
        return max(0.0, min(1.0, (step + 1) / self.warmup, left))
