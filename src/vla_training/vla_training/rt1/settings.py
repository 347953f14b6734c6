# SPDX-License-Identifier: Apache-2.0
"""Hyperparameters of the behaviour cloning of RT-1, and its loss over action bins."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from vla_policy.rt1.config import RT1Config, named_config

from vla_training.data.frames import PROPRIO

TRANSLATION = slice(0, 3)  # dimensions with soft targets
GRIPPER, MODE = 6, 10
WEIGHTS = (1.0, 1.0, 1.0, 0.05, 0.05, 0.05, 1.0, 0.05, 0.05, 0.05, 0.5)  # the tabletop never turns the hand or drives


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Hyperparameters. The rate is constant after the warm-up and falls to zero over the last `decay` of the steps."""

    steps: int = 10_000
    batch: int = 96
    rate: float = 6e-4
    backbone_rate: float = 2e-4
    warmup: int = 200
    decay: float = 0.35
    weight_decay: float = 0.01
    clip: float = 1.0
    soft_bins: float = 3.0  # standard deviation of the soft targets, in bins
    own_task: float = 0.55  # share of samples labelled for the episode's own task
    aux_weight: float = 0.5
    attention_weight: float = 0.5  # of the loss that points TokenLearner at object and target
    ema: float = 0.998
    seed: int = 0
    validation: float = 0.05  # share of episodes kept for validation
    report_every: int = 50
    validate_every: int = 500

    def rate_factor(self, step: int) -> float:
        """What both rates are multiplied by at a step counted from 0."""
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return min(1.0, (step + 1) / self.warmup, left)


def training_config(name: str) -> RT1Config:
    """The named configuration as it is trained here: with the hand's state, and the auxiliary head that guides it.

    Raises ConfigError for an unknown name.
    """
    changes = {"dropout": 0.0} if name == "lite" else {}  # augmentation by relabelling keeps lite from overfitting
    return named_config(name, proprio=PROPRIO, state_tokens=2, aux_outputs=6, **changes)


def action_loss(logits: Tensor, targets: Tensor, soft_bins: float) -> Tensor:
    """Weighted cross-entropy over bins; for translations against a Gaussian over neighbouring bins.

    logits (B, 11, bins), targets (B, 11) int64, `soft_bins` the Gaussian's standard deviation in bins.
    """
    log = logits.log_softmax(dim=-1)
    bins = torch.arange(log.shape[-1], device=log.device)
    distance = (bins - targets[:, TRANSLATION, None]) / soft_bins
    soft = torch.softmax(-0.5 * distance.square(), dim=-1)
    hard = -log.gather(-1, targets[..., None])[..., 0].mean(dim=0)  # (11,)
    losses = torch.cat([-(soft * log[:, TRANSLATION]).sum(-1).mean(dim=0), hard[3:]])
    return (losses * torch.tensor(WEIGHTS, device=log.device)).sum()
