# SPDX-License-Identifier: Apache-2.0
"""Behaviour cloning of RT-1 on labelled frames: resumable, with live metrics and a learning curve."""

from __future__ import annotations

import math
from collections.abc import Mapping
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

from vla_training.data.frames import FrameTable, split_by_episode
from vla_training.data.projection import AttentionTargets
from vla_training.rt1.settings import TrainSettings, action_loss
from vla_training.rt1.training_data import Features, InstructionTable, TaskDraw, windows
from vla_training.rt1.validation import validate
from vla_training.run.loop import Figures, TrainingLoop
from vla_training.run.session import CHECKPOINT

__all__ = ["CHECKPOINT", "TrainSettings", "Trainer"]

Rows = NDArray[np.int64]
_PROPRIO_NOISE = (0.002, 0.002, 0.002, 0.0005)  # [m]


class Trainer(TrainingLoop):
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
        self.settings: TrainSettings = settings
        self.folder, self.robot = folder, robot
        self.table, self.features = table, features
        self.device = torch.device(device)
        self.network: RT1Network = RT1Network(config)
        self.average: RT1Network = RT1Network(config, pretrained=False).requires_grad_(False)
        self.network.set_proprio_statistics(table.proprio.mean(0).tolist(), table.proprio.std(0).tolist())
        self.average.load_state_dict(self.network.state_dict())
        self.network.to(self.device)
        self.average.to(self.device)
        self.instructions = instructions or InstructionTable()
        self.instructions.to(self.device)
        self._draw = TaskDraw(table)
        self._attention = AttentionTargets(config.image_size, self._map_size())
        self._train, self._held_out = split_by_episode(table.episode, settings.validation)
        self.optimiser = torch.optim.AdamW(self._groups(), weight_decay=settings.weight_decay, fused=True)

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Begin with the weights of another run, its statistics of the state included. Raises RuntimeError."""
        self.network.load_state_dict(weights)
        self.average.load_state_dict(weights)

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

    def train_step(self, rng: np.random.Generator) -> Figures:
        """Do one update; return the action loss and the goal head's mean error [mm]."""
        rows = self._train[rng.integers(0, len(self._train), self.settings.batch)]
        tasks = self._draw.mixed(rows, self.settings.own_task, rng)
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
            attention.view(-1, history, *attention.shape[1:])[:, -1],
            self.table.goals[rows, tasks],
            self.table.cameras[self.table.episode[rows]],
        )
        self.update(total)
        return {"loss": float(loss.detach()), "goal_mm": 1000.0 * float(error[:, :3].detach().norm(dim=1).mean())}

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

    def validate(self, count: int = 512) -> Figures:
        """Return errors on held-out episodes, and the instruction-swap check on the same pictures."""
        if not len(self._held_out):
            return {}
        return validate(self.table, self._held_out, self._draw, self.predict, count)
