# SPDX-License-Identifier: Apache-2.0
"""Behaviour cloning of RT-1 on labelled frames: resumable, with live metrics and a learning curve."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vla_policy.presets import RT1_TABLETOP
from vla_policy.rt1.checkpoint import save_checkpoint
from vla_policy.rt1.config import RT1Config
from vla_policy.rt1.instruction import InstructionEncoder, InstructionFeatures
from vla_policy.rt1.network import RT1Network
from vla_training.frames import ALL_TASKS, FrameTable
from vla_training.language import training_sentences
from vla_training.train_state import load_state, save_state

TRANSLATION = slice(0, 3)  # dimensions with soft targets
GRIPPER, MODE = 6, 10
_WEIGHTS = (1.0, 1.0, 1.0, 0.05, 0.05, 0.05, 1.0, 0.05, 0.05, 0.05, 0.5)  # the tabletop never turns the hand or drives


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
    ema: float = 0.998
    seed: int = 0
    validation: float = 0.05  # share of episodes kept for validation
    report_every: int = 50
    validate_every: int = 500


class InstructionTable:
    """Every training sentence encoded once."""

    def __init__(self) -> None:
        encoder = InstructionEncoder()
        sentences = [training_sentences(task) for task in ALL_TASKS]
        self.per_task = len(sentences[0])
        self.features: InstructionFeatures = encoder.batch([s for group in sentences for s in group])

    def draw(self, tasks: NDArray[np.int64], rng: np.random.Generator) -> InstructionFeatures:
        """A random wording of each task (n,)."""
        rows = tasks * self.per_task + rng.integers(0, self.per_task, len(tasks))
        return self.features.select(torch.from_numpy(rows))

    def canonical(self, tasks: NDArray[np.int64]) -> InstructionFeatures:
        """The first wording of each task (n,)."""
        return self.features.select(torch.from_numpy(tasks * self.per_task))


class Trainer:
    """Holds network, averaged network, optimiser and data; `run` trains to `settings.steps`."""

    def __init__(self, config: RT1Config, table: FrameTable, features: NDArray[np.float16], settings: TrainSettings,
                 folder: Path, robot: str) -> None:
        """`features` (N, C, h, w): `early_features` of the table's images."""
        torch.manual_seed(settings.seed)
        self.settings, self.folder, self.robot = settings, folder, robot
        self.table, self.features = table, features
        self.network = RT1Network(config)
        self.average = RT1Network(config, pretrained=False).requires_grad_(False)
        self.network.set_proprio_statistics(table.proprio.mean(0).tolist(), table.proprio.std(0).tolist())
        self.average.load_state_dict(self.network.state_dict())
        self.instructions = InstructionTable()
        self.step = 0
        episodes = int(table.episode.max()) + 1
        held_out = table.episode % max(2, round(1 / settings.validation)) == 0 if episodes > 3 else table.episode < 0
        self._train = np.flatnonzero(~held_out)
        self._validate = np.flatnonzero(held_out)
        self._optimiser = torch.optim.AdamW(self._groups(), weight_decay=settings.weight_decay, fused=True)
        self._families = [np.array([i for i, t in enumerate(ALL_TASKS) if t.family == f])
                          for f in ("pick", "place", "near", "push")]

    def _groups(self) -> list[dict[str, object]]:
        backbone, other = [], []
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                pretrained = "backbone.blocks" in name
                (backbone if pretrained else other).append(parameter)
        return [{"params": other, "base": self.settings.rate}, {"params": backbone, "base": self.settings.backbone_rate}]

    def resume(self) -> bool:
        """Continue from the folder's training state, if there is one."""
        step = load_state(self.folder, self.network, self.average, self._optimiser)
        self.step = step or 0
        return step is not None

    def run(self, report: Callable[[str], None], stop: Callable[[], bool] = lambda: False) -> None:
        """Train until `settings.steps` or until `stop` says so; saves at each validation and at the end."""
        rng = np.random.default_rng([self.settings.seed, self.step])
        losses: list[list[float]] = []
        started, first = time.monotonic(), self.step
        while self.step < self.settings.steps and not stop():
            losses.append(self._train_step(rng))
            self.step += 1
            if self.step % self.settings.report_every == 0:
                rate = (self.step - first) / (time.monotonic() - started)
                row = np.mean(losses, axis=0)
                left = (self.settings.steps - self.step) / rate / 60
                report(f"step {self.step}/{self.settings.steps} loss {row[0]:.3f} goal {row[1] * 1000:.0f} mm  "
                       f"{rate:.2f} steps/s, {left:.0f} min left")
                self._log("train.csv", {"step": self.step, "loss": row[0], "goal_mm": row[1] * 1000})
                losses.clear()
            if self.step % self.settings.validate_every == 0:
                self._checkpoint(report)
        self._checkpoint(report)

    def _checkpoint(self, report: Callable[[str], None]) -> None:
        save_state(self.folder, self.step, self.network, self.average, self._optimiser)
        self.export(self.folder / "checkpoint")
        if len(self._validate):
            figures = self.validate()
            self._log("validation.csv", {"step": self.step, **figures})
            report("  validation: " + ", ".join(f"{k} {v:.3g}" for k, v in figures.items()))

    def export(self, folder: Path) -> None:
        """Write the averaged network as a checkpoint that the policy loads."""
        save_checkpoint(folder, self.average, RT1_TABLETOP.to_dict(), self.robot,
                        {"period_s": 0.2, "gripper_max_width": 0.08, "steps": self.step, "frames": len(self.table)})

    def _train_step(self, rng: np.random.Generator) -> list[float]:
        rows = self._train[rng.integers(0, len(self._train), self.settings.batch)]
        tasks = self._draw_tasks(rows, rng)
        self._set_rates()
        self.network.train()
        early, proprio = self._inputs(rows)
        proprio = proprio + torch.randn_like(proprio) * torch.tensor([0.002, 0.002, 0.002, 0.0005])
        tokens = self.network.frame_tokens(early, self.instructions.draw(tasks, rng))
        logits = self.network.decode(tokens[:, None], proprio[:, None])[:, 0]
        goals = torch.from_numpy(self.table.goals[rows, tasks])
        error = self.network.aux(tokens) - goals
        loss = self._action_loss(logits, torch.from_numpy(self.table.tokens[rows, tasks].astype(np.int64)))
        total = loss + self.settings.aux_weight * F.smooth_l1_loss(error * 10, torch.zeros_like(error), beta=0.1) * 6
        self._optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self._optimiser.step()
        self._update_average()
        return [float(loss.detach()), float(error[:, :3].detach().norm(dim=1).mean())]

    def _draw_tasks(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """The episode's own task, or any other that the table allows, families alike."""
        tasks = self.table.own_task[rows].copy()
        for i in np.flatnonzero(rng.random(len(rows)) > self.settings.own_task):
            for _ in range(8):
                candidate = rng.choice(self._families[rng.integers(4)])
                if self.table.allowed[rows[i], candidate]:
                    tasks[i] = candidate
                    break
        return tasks

    def _inputs(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        early = torch.from_numpy(self.features[rows].astype(np.float32)).contiguous(memory_format=torch.channels_last)
        return early, torch.from_numpy(self.table.proprio[rows])

    def _action_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy over bins (B, 11, 256); translations against a Gaussian over neighbouring bins."""
        log = logits.log_softmax(dim=-1)
        bins = torch.arange(log.shape[-1])
        distance = (bins - targets[:, TRANSLATION, None]) / self.settings.soft_bins
        soft = torch.softmax(-0.5 * distance.square(), dim=-1)
        hard = -log.gather(-1, targets[..., None])[..., 0].mean(dim=0)  # (11,)
        losses = torch.cat([-(soft * log[:, TRANSLATION]).sum(-1).mean(dim=0), hard[3:]])
        return (losses * torch.tensor(_WEIGHTS)).sum()

    def _set_rates(self) -> None:
        settings = self.settings
        left = (settings.steps - self.step) / max(1.0, settings.decay * settings.steps)
        factor = min(1.0, (self.step + 1) / settings.warmup, left)
        for group in self._optimiser.param_groups:
            group["lr"] = group["base"] * factor

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.settings.ema, (self.step + 1) / (self.step + 10))
        own = [p for p in self.network.parameters() if p.requires_grad]
        averaged = [a for a, p in zip(self.average.parameters(), self.network.parameters(), strict=True)
                    if p.requires_grad]
        torch._foreach_lerp_(averaged, [p.detach() for p in own], 1.0 - decay)

    @torch.no_grad()
    def predict(self, rows: NDArray[np.int64], tasks: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Most probable tokens (n, 11) and goal positions (n, 6) of the averaged network."""
        self.average.eval()
        tokens, goals = [], []
        for part in np.array_split(np.arange(len(rows)), max(1, math.ceil(len(rows) / 64))):
            early, proprio = self._inputs(rows[part])
            frame = self.average.frame_tokens(early, self.instructions.canonical(tasks[part]))
            tokens.append(self.average.decode(frame[:, None], proprio[:, None])[:, 0].argmax(-1).numpy())
            goals.append(self.average.aux(frame).numpy())
        return np.concatenate(tokens), np.concatenate(goals)

    def validate(self, count: int = 512) -> dict[str, float]:
        """Errors on held-out episodes, and the instruction-swap check on the same pictures."""
        rng = np.random.default_rng(5)
        rows = rng.choice(self._validate, min(count, len(self._validate)), replace=False)
        own, other = self.table.own_task[rows], self._draw_tasks_other(rows, rng)
        tokens, goals = self.predict(rows, own)
        labels = self.table.tokens[rows, own].astype(np.int64)
        millimetre = 120.0 / 255
        swapped, _ = self.predict(rows, other)
        first = np.flatnonzero(self.table.first & np.isin(np.arange(len(self.table)), self._validate))
        _, first_goals = self.predict(first, self.table.own_task[first])
        return {
            "step_mm": float(np.abs(tokens - labels)[:, TRANSLATION].mean() * millimetre),
            "gripper": float((np.abs(tokens - labels)[:, GRIPPER] < 64).mean()),
            "mode": float((tokens == labels)[:, MODE].mean()),
            "goal_mm": _distance(goals, self.table.goals[rows, own]),
            "first_goal_mm": _distance(first_goals, self.table.goals[first, self.table.own_task[first]]),
            "swap": self._swap_share(rows, own, other, swapped),
        }

    def _draw_tasks_other(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Another allowed task for each row, for the swap check."""
        choices = []
        for row in rows:
            allowed = np.flatnonzero(self.table.allowed[row])
            choices.append(rng.choice(allowed[allowed != self.table.own_task[row]]))
        return np.array(choices)

    def _swap_share(self, rows: NDArray[np.int64], own: NDArray[np.int64], other: NDArray[np.int64],
                    tokens: NDArray[np.int64]) -> float:
        """Where the two tasks want clearly different steps: share whose step, given the other words, fits those words."""
        mine = self.table.tokens[rows, own, TRANSLATION].astype(np.int64)
        theirs = self.table.tokens[rows, other, TRANSLATION].astype(np.int64)
        different = np.linalg.norm(mine - theirs, axis=1) > 40
        step = tokens[:, TRANSLATION]
        follows = np.linalg.norm(step - theirs, axis=1) < np.linalg.norm(step - mine, axis=1)
        return float(follows[different].mean()) if different.any() else math.nan

    def _log(self, name: str, row: dict[str, float]) -> None:
        path = self.folder / name
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow({key: f"{value:.6g}" for key, value in row.items()})


def _distance(predicted: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(predicted[:, :3] - wanted[:, :3], axis=1).mean() * 1000)
