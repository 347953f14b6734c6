# SPDX-License-Identifier: Apache-2.0
"""Behaviour cloning of RT-1 on recorded actions: of any robot, in whatever columns they were recorded."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from vla_core.files import write_text
from vla_core.observation_map.part import PartKind
from vla_core.observation_map.presets import MAP_FILE
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.rt1.checkpoint import save_checkpoint
from vla_policy.rt1.config import RT1Config, named_config
from vla_policy.rt1.instruction import InstructionEncoder
from vla_policy.rt1.network import RT1Network

from vla_training.data.frames import split_by_episode
from vla_training.data.recorded.loading import RecordedData
from vla_training.data.recorded.table import RecordedTable
from vla_training.rt1.settings import TrainSettings
from vla_training.rt1.training_data import Features, windows
from vla_training.run.loop import Figures, TrainingLoop

Rows = NDArray[np.int64]
AHEAD = 6.0  # weight of what is told about the state ahead, relative to that of the action
NOISE = 0.02  # of the state's standard deviation
BATCH = 64  # of predictions
NEAR = 2  # [bins] within which a switching column counts as right


def recorded_config(name: str, data: RecordedData) -> RT1Config:
    """Return the named network for these columns; pictures of another size are stretched to what it sees."""
    channels = data.table.channels
    plain = named_config(name)
    changes: dict[str, Any] = {"dropout": 0.0} if name == "lite" else {}
    if data.size != plain.image_size:
        changes["picture_size"] = data.size
    return named_config(
        name,
        proprio=channels,
        state_tokens=2 if channels else 0,
        aux_outputs=len(channels),
        action_dims=len(data.table.space.names),
        **changes,
    )


def recorded_loss(logits: Tensor, targets: Tensor, used: Tensor, hard: Tensor, soft_bins: float) -> Tensor:
    """Cross-entropy over bins, summed over the columns that a frame has, mean over frames.

    logits (B, d, bins), targets (B, d), used (B, d) flags, hard (d,): the label's bin alone counts, else a Gaussian
    over neighbouring bins with the standard deviation `soft_bins`.
    """
    log = logits.log_softmax(dim=-1)
    bins = torch.arange(log.shape[-1], device=log.device)
    soft = torch.softmax(-0.5 * ((bins - targets[..., None]) / soft_bins).square(), dim=-1)
    exact = -log.gather(-1, targets[..., None])[..., 0]
    losses = torch.where(hard, exact, -(soft * log).sum(-1))
    return (losses * used).sum(dim=1).mean()


class RowDraw:
    """Draws rows as often as their share says."""

    def __init__(self, table: RecordedTable, rows: Rows) -> None:
        self._rows, self._ends = rows, np.cumsum(table.share[rows])

    def __call__(self, count: int, rng: np.random.Generator) -> Rows:
        """Return `count` rows."""
        places = np.searchsorted(self._ends, rng.random(count) * self._ends[-1], side="right")
        return np.asarray(self._rows[np.minimum(places, len(self._rows) - 1)])


class RecordedTrainer(TrainingLoop):
    """Holds network, averaged network, optimiser and data; `run` trains to `settings.steps`."""

    def __init__(
        self,
        config: RT1Config,
        data: RecordedData,
        features: Features,
        settings: TrainSettings,
        folder: Path,
        device: str = "cpu",
    ) -> None:
        """`features`: a row of the network's early features for each frame of the table."""
        torch.manual_seed(settings.seed)
        self.settings: TrainSettings = settings
        self.folder, self.device = folder, torch.device(device)
        self._data, self._table, self._features = data, data.table, features
        table = data.table
        self.network: RT1Network = RT1Network(config)
        self.average: RT1Network = RT1Network(config, pretrained=False).requires_grad_(False)
        self._deviation = torch.zeros(0)
        if config.proprio:
            mean = np.average(table.state, axis=0, weights=table.share)
            spread = np.sqrt(np.average((table.state - mean) ** 2, axis=0, weights=table.share))
            spread = np.where(spread > 1e-6, spread, 1.0)  # what never moves stays 0
            self.network.set_proprio_statistics(mean.tolist(), spread.tolist())
            self._deviation = torch.from_numpy(spread.astype(np.float32)).to(self.device)
        self.average.load_state_dict(self.network.state_dict())
        self.network.to(self.device)
        self.average.to(self.device)
        self._texts = InstructionEncoder().batch(list(table.texts)).to(self.device)
        self._hard = torch.from_numpy(table.hard).to(self.device)
        train, self._held_out = split_by_episode(table.episode, settings.validation)
        self._draw = RowDraw(table, train)
        self.optimiser = torch.optim.AdamW(self._groups(), weight_decay=settings.weight_decay, fused=True)

    def _groups(self) -> list[dict[str, Any]]:
        """New parameters, and pretrained ones that learn more slowly."""
        named = [(name, each) for name, each in self.network.named_parameters() if each.requires_grad]
        return [
            {"params": [p for name, p in named if "backbone.blocks" not in name], "base": self.settings.rate},
            {"params": [p for name, p in named if "backbone.blocks" in name], "base": self.settings.backbone_rate},
        ]

    def export(self, folder: Path) -> None:
        """Write the averaged network as a checkpoint that the policy loads, with the map that says what it means."""
        control = self._data.control() | {"steps": self.step, "frames": len(self._table)}
        save_checkpoint(folder, self.average, self._table.space.to_dict(), self._table.robot, control)
        if text := self._data.map_text():
            write_text(folder / MAP_FILE, text)

    def train_step(self, rng: np.random.Generator) -> Figures:
        """Do one update; return the action loss."""
        rows = self._draw(self.settings.batch, rng)
        self.network.train()
        logits, frames = self._outputs(self.network, rows, NOISE)
        loss = self._loss(logits, rows)
        if not self.network.config.aux_outputs:
            self.update(loss)
            return {"loss": float(loss.detach())}
        ahead = self._ahead(self.network, frames, rows)
        self.update(loss + self.settings.aux_weight * AHEAD * ahead)
        return {"loss": float(loss.detach()), "ahead": float(ahead.detach())}

    def _ahead(self, network: RT1Network, frames: Tensor, rows: Rows) -> Tensor:
        """How wrong the pictures' tokens alone are about the state in which something next switches: smooth L1 error in
        standard deviations. A network that copies the hand's way without looking cannot know it.
        """
        wanted = torch.from_numpy(self._table.state[self._table.turning[rows]]).to(self.device)
        normal = (wanted - network.proprio_mean) / network.proprio_std
        return F.smooth_l1_loss(network.aux(frames), normal, beta=0.1)

    def _loss(self, logits: Tensor, rows: Rows) -> Tensor:
        targets = torch.from_numpy(self._table.tokens[rows]).to(self.device)
        used = torch.from_numpy(self._table.used[rows]).to(self.device)
        return recorded_loss(logits, targets, used, self._hard, self.settings.soft_bins)

    def _outputs(self, network: RT1Network, rows: Rows, noise: float = 0.0) -> tuple[Tensor, Tensor]:
        """Logits (n, d, bins) of the newest frames and their tokens; `noise`: of the state, in standard deviations."""
        history = network.config.history
        window = windows(self._table.first, rows, history)
        early = torch.from_numpy(self._features[window.ravel()].astype(np.float32)).to(self.device)
        early = early.contiguous(memory_format=torch.channels_last)
        state = torch.from_numpy(self._table.state[window]).to(self.device)
        state = state + noise * torch.randn_like(state) * self._deviation if network.config.proprio else state
        condition = network.condition(self._texts.select(torch.from_numpy(self._table.text[rows]).to(self.device)))
        tokens = network.frame_tokens(early, condition.repeat_interleave(history, dim=0))
        tokens = tokens.view(len(rows), history, *tokens.shape[1:])
        return network.decode(tokens, state if network.config.proprio else None)[:, -1], tokens[:, -1]

    @torch.no_grad()
    def validate(self, count: int = 512) -> Figures:
        """Return figures on held-out episodes; see `held_out_figures`."""
        if not len(self._held_out):
            return {}
        rows = np.random.default_rng(5).permutation(self._held_out)[:count]
        self.average.eval()
        parts = np.array_split(rows, max(1, math.ceil(len(rows) / BATCH)))
        made = [self._outputs(self.average, part) for part in parts]
        logits, frames = (torch.cat([each[i] for each in made]) for i in range(2))
        figures = held_out_figures(self._table, rows, logits.argmax(-1).cpu().numpy())
        if self.average.config.aux_outputs:
            figures["ahead"] = float(self._ahead(self.average, frames, rows))
        return {"loss": float(self._loss(logits, rows)), **figures}


def held_out_figures(table: RecordedTable, rows: Rows, tokens: NDArray[np.int64]) -> Figures:
    """Return errors of predicted tokens (n, d) at these rows.

    error: mean error of a column that does not switch, as a share of its range; switch: share of the columns that
    switch, as a gripper, that are right; step_mm: mean error of a component of translations [mm].
    """
    labels, used = table.tokens[rows], table.used[rows]
    distance = np.abs(tokens - labels)
    figures: Figures = {}
    moving = used & ~table.hard
    if moving.any():
        figures["error"] = float(distance[moving].mean() / (table.space.bins - 1))
    if (used & table.hard).any():
        figures["switch"] = float((distance <= NEAR)[used & table.hard].mean())
    columns = _translation(table)
    if columns is not None:
        decode = ActionTokenizer(table.space).decode
        figures["step_mm"] = float(1000 * np.abs(decode(tokens) - decode(labels))[:, columns].mean())
    return figures


def _translation(table: RecordedTable) -> slice | None:
    """The columns of a translation in [m]; None where there are none, or they are normalised."""
    first = 0
    action = table.observation_map.action if table.observation_map is not None else None
    for part in action.parts if action is not None else ():
        if part.part is PartKind.TRANSLATION:
            return None if part.normalisation else slice(first, first + 3)
        first += part.width
    return None
