# SPDX-License-Identifier: Apache-2.0
"""Behaviour cloning of RT-1 on labelled frames: resumable, with live metrics and a learning curve."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from vla_policy.action.presets import RT1_TABLETOP
from vla_policy.rt1.checkpoint import save_checkpoint
from vla_policy.rt1.config import RT1Config
from vla_policy.rt1.network import RT1Network
from vla_sim.world.robots import get_robot

from vla_training.data.frames import FrameTable
from vla_training.data.projection import AttentionTargets
from vla_training.rt1.settings import TrainSettings, action_loss
from vla_training.rt1.training_data import Features, InstructionTable, TaskDraw, windows
from vla_training.rt1.validation import validate
from vla_training.run.run_log import TRAIN_LOG, VALIDATION_LOG, append, drop_after
from vla_training.run.train_state import load_state, save_state

__all__ = ["TrainSettings", "Trainer"]

Rows = NDArray[np.int64]
CHECKPOINT = "checkpoint"
_PROPRIO_NOISE = (0.002, 0.002, 0.002, 0.0005)  # [m]


class Trainer:
    """Holds network, averaged network, optimiser and data; `run` trains to `settings.steps`."""

    def __init__(
        self,
        config: RT1Config,
        table: FrameTable,
        features: Features,
        settings: TrainSettings,
        folder: Path,
        robot: str,
        device: str = "cpu",
        instructions: InstructionTable | None = None,
    ) -> None:
        """`features` (N, C, h, w): `early_features` of the table's images, in its order."""
        if len(features) != len(table):
            raise ValueError(f"{len(features)} rows of features for {len(table)} frames; one for each is needed")
        torch.manual_seed(settings.seed)
        self.settings, self.folder, self.robot = settings, folder, robot
        self.table, self.features = table, features
        self.device = torch.device(device)
        self.network = RT1Network(config)
        self.average = RT1Network(config, pretrained=False).requires_grad_(False)
        self.network.set_proprio_statistics(table.proprio.mean(0).tolist(), table.proprio.std(0).tolist())
        self.average.load_state_dict(self.network.state_dict())
        self.network.to(self.device)
        self.average.to(self.device)
        self.instructions = instructions or InstructionTable()
        self.instructions.to(self.device)
        self.step = 0
        self._draw = TaskDraw(table)
        self._attention = AttentionTargets(robot, config.image_size, self._map_size())
        self._train, self._validate = _split(table, settings.validation)
        self._optimiser = torch.optim.AdamW(self._groups(), weight_decay=settings.weight_decay, fused=True)

    @torch.no_grad()
    def _map_size(self) -> tuple[int, int]:
        """Cells (h, w) of the map that TokenLearner looks at."""
        early = torch.from_numpy(self.features[np.zeros(1, np.int64)].astype(np.float32)).to(self.device)
        blank = torch.zeros(1, self.network.config.instruction_dim, device=self.device)
        shape = self.average.eval().tokenizer.feature_map(early, blank).shape
        return shape[2], shape[3]

    def _groups(self) -> list[dict[str, Any]]:
        """New parameters, and pretrained ones that learn more slowly."""
        pretrained: list[torch.nn.Parameter] = []
        other: list[torch.nn.Parameter] = []
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                (pretrained if "backbone.blocks" in name else other).append(parameter)
        return [
            {"params": other, "base": self.settings.rate},
            {"params": pretrained, "base": self.settings.backbone_rate},
        ]

    def resume(self) -> bool:
        """Continue from the folder's state, if there is one. Raises TrainingError for one that does not fit."""
        step = load_state(self.folder, self.network, self.average, self._optimiser)
        self.step = step or 0
        for name in (TRAIN_LOG, VALIDATION_LOG) if step is not None else ():
            drop_after(self.folder / name, self.step)
        return step is not None

    def run(
        self,
        report: Callable[[str], None],
        stop: Callable[[], bool] = lambda: False,
        on_checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        """Train until `settings.steps` or until `stop` says so; saves at each validation and at the end."""
        rng = np.random.default_rng([self.settings.seed, self.step])
        losses: list[list[float]] = []
        started, first = time.monotonic(), self.step
        while self.step < self.settings.steps and not stop():
            losses.append(self._train_step(rng))
            self.step += 1
            if self.step % self.settings.report_every == 0:
                self._report(report, losses, (self.step - first) / (time.monotonic() - started))
                losses.clear()
            if self.step % self.settings.validate_every == 0 and self.step < self.settings.steps:
                self._checkpoint(report)
                on_checkpoint()
        self._checkpoint(report, validate=self.step >= self.settings.steps)
        on_checkpoint()

    def _report(self, report: Callable[[str], None], losses: list[list[float]], rate: float) -> None:
        loss, goal = np.mean(losses, axis=0)
        left = (self.settings.steps - self.step) / rate / 60
        report(
            f"step {self.step}/{self.settings.steps} loss {loss:.3f} goal {goal * 1000:.0f} mm  "
            f"{rate:.2f} steps/s, {left:.0f} min left"
        )
        append(self.folder / TRAIN_LOG, {"step": self.step, "loss": loss, "goal_mm": goal * 1000})

    def _checkpoint(self, report: Callable[[str], None], validate: bool = True) -> None:
        save_state(self.folder, self.step, self.network, self.average, self._optimiser)
        self.export(self.folder / CHECKPOINT)
        if validate and len(self._validate):
            figures = self.validate()
            append(self.folder / VALIDATION_LOG, {"step": self.step, **figures})
            report("  validation: " + ", ".join(f"{k} {v:.3g}" for k, v in figures.items()))

    def export(self, folder: Path) -> None:
        """Write the averaged network as a checkpoint that the policy loads."""
        robot = get_robot(self.robot)
        control = {
            "period_s": 0.2,
            "gripper_max_width": robot.config.gripper.max_width,
            "steps": self.step,
            "frames": len(self.table),
        }
        save_checkpoint(folder, self.average, RT1_TABLETOP.to_dict(), self.robot, control)

    def _train_step(self, rng: np.random.Generator) -> list[float]:
        """One update; the action loss and the goal head's mean error [m]."""
        rows = self._train[rng.integers(0, len(self._train), self.settings.batch)]
        tasks = self._draw.mixed(rows, self.settings.own_task, rng)
        factor = self.settings.rate_factor(self.step)
        for group in self._optimiser.param_groups:
            group["lr"] = group["base"] * factor
        self.network.train()
        early, proprio = self._inputs(rows)
        proprio = proprio + torch.randn_like(proprio) * torch.tensor(_PROPRIO_NOISE, device=self.device)
        condition = self.network.condition(self.instructions.draw(tasks, rng))
        history = self.network.config.history
        tokens, attention = self.network.tokenizer.attend(early, condition.repeat_interleave(history, dim=0))
        tokens = tokens.view(-1, history, *tokens.shape[1:])
        logits = self.network.decode(tokens, proprio)[:, -1]
        error = self.network.aux(tokens[:, -1]) - torch.from_numpy(self.table.goals[rows, tasks]).to(self.device)
        targets = torch.from_numpy(self.table.tokens[rows, tasks].astype(np.int64)).to(self.device)
        loss = action_loss(logits, targets, self.settings.soft_bins)
        total = loss + self.settings.aux_weight * F.smooth_l1_loss(error * 10, torch.zeros_like(error), beta=0.1) * 6
        total = total + self.settings.attention_weight * self._attention.loss(
            attention.view(-1, history, *attention.shape[1:])[:, -1], self.table.goals[rows, tasks]
        )
        self._optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self._optimiser.step()
        self._update_average()
        return [float(loss.detach()), float(error[:, :3].detach().norm(dim=1).mean())]

    def _inputs(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Early features (n * history, C, h, w), oldest frame of each window first, and proprio (n, history, p)."""
        window = windows(self.table.first, rows, self.network.config.history)
        early = torch.from_numpy(self.features[window.ravel()].astype(np.float32)).to(self.device)
        proprio = torch.from_numpy(self.table.proprio[window]).to(self.device)
        return early.contiguous(memory_format=torch.channels_last), proprio

    def _tokens(self, network: RT1Network, early: Tensor, condition: Tensor) -> Tensor:
        """Tokens (n, history, tokens, d) of the windows' pictures under n conditions."""
        history = network.config.history
        tokens = network.frame_tokens(early, condition.repeat_interleave(history, dim=0))
        return tokens.view(-1, history, *tokens.shape[1:])

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.settings.ema, (self.step + 1) / (self.step + 10))
        averaged: list[Tensor] = []
        own: list[Tensor] = []
        for average, parameter in zip(self.average.parameters(), self.network.parameters(), strict=True):
            if parameter.requires_grad:
                averaged.append(average)
                own.append(parameter.detach())
        torch._foreach_lerp_(averaged, own, 1.0 - decay)

    @torch.no_grad()
    def predict(self, rows: Rows, tasks: Rows) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Most probable tokens (n, 11) and goal positions (n, 6) of the averaged network."""
        self.average.eval()
        tokens, goals = [], []
        for part in np.array_split(np.arange(len(rows)), max(1, math.ceil(len(rows) / 64))):
            early, proprio = self._inputs(rows[part])
            frames = self._tokens(self.average, early, self.average.condition(self.instructions.canonical(tasks[part])))
            tokens.append(self.average.decode(frames, proprio)[:, -1].argmax(-1).cpu().numpy())
            goals.append(self.average.aux(frames[:, -1]).cpu().numpy())
        return np.concatenate(tokens), np.concatenate(goals)

    def validate(self, count: int = 512) -> dict[str, float]:
        """Errors on held-out episodes, and the instruction-swap check on the same pictures."""
        return validate(self.table, self._validate, self._draw, self.predict, count)


def _split(table: FrameTable, share: float) -> tuple[Rows, Rows]:
    """Rows to train on and rows kept for validation, by whole episodes; few episodes are all trained on."""
    enough = int(table.episode.max()) > 2
    held_out = (table.episode % max(2, round(1 / share)) == 0) & enough
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
