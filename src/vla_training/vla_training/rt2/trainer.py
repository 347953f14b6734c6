# SPDX-License-Identifier: Apache-2.0
"""Co-fine-tuning of a vision-language model on a mixture: resumable, with live metrics."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from vla_policy.rt2.decoding.decode_settings import Mode, median_bin
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.model.checkpoint import RT2Info, save_checkpoint

from vla_training.rt2.base.probe import LAYER, OffsetProbe
from vla_training.rt2.collate import Collator, collator, to_device
from vla_training.rt2.packing import PackedBatch
from vla_training.rt2.read_back import ReadBack
from vla_training.rt2.samples.grounding import Grounding
from vla_training.rt2.samples.samples import Group, Source
from vla_training.rt2.settings import RT2Settings
from vla_training.rt2.token_loss import SOFTENED, TokenLoss
from vla_training.run.loop import Figures, TrainingLoop

HeldOutFigures = Callable[["RT2Trainer"], Figures]


class RT2Trainer(TrainingLoop):
    """Holds model, averaged model, optimiser and mixture; `run` trains to `settings.steps`."""

    def __init__(
        self,
        backend: VlmBackend,
        info: RT2Info,
        mixture: Source,
        settings: RT2Settings,
        folder: Path,
        grounding: Grounding | None = None,
        softened: Sequence[str] = SOFTENED,
    ) -> None:
        """The model is trained in place; parameters that need no gradient stay as they are.

        softened: dimensions whose neighbouring bins mean nearly the same.
        """
        self.backend, self.info, self.folder = backend, info, folder
        self.settings: RT2Settings = settings
        self.network: nn.Module = backend.model
        self.average = copy.deepcopy(self.network).requires_grad_(False) if settings.ema else None
        self.collate: Collator = collator(backend, info.prompt.suffix)
        self.held_out: HeldOutFigures | None = None
        self._mixture, self._grounding = mixture, grounding
        self._loss = TokenLoss(info.action_space, info.vocabulary, settings.soft_bins, softened)
        self._read_back = ReadBack(info.action_space, info.vocabulary, settings.read_back, softened)
        width = int(backend.model.config.get_text_config().hidden_size)
        self._probe = OffsetProbe(width).to(backend.device) if grounding is not None else None
        self.optimiser = torch.optim.AdamW(self._groups(), weight_decay=settings.weight_decay, fused=True)
        if grounding is not None:
            backend.model.set_attn_implementation("eager")  # the only one that tells where it looks

    def _groups(self) -> list[dict[str, Any]]:
        """The image encoder, pretrained and to be kept, learns at its own rate; word embeddings do not decay."""
        words = self.backend.model.get_input_embeddings().weight
        groups: dict[str, list[nn.Parameter]] = {"words": [], "vision": [], "other": [], "probe": []}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                kind = "words" if parameter is words else "vision" if "vision" in name or "visual" in name else "other"
                groups[kind].append(parameter)
        groups["probe"] += self._probe.parameters() if self._probe is not None else ()
        changes = {"words": {"weight_decay": 0.0}, "vision": {"base": self.settings.vision_rate}}
        return [
            {"params": parameters, "base": self.settings.rate, **changes.get(kind, {})}
            for kind, parameters in groups.items()
            if parameters
        ]

    def beside(self) -> nn.Module:
        """Return averaged weights and probe."""
        parts = {"weights": self.average, "probe": self._probe}
        return nn.ModuleDict({name: part for name, part in parts.items() if part is not None})

    def validate(self) -> Figures:
        """Return the figures of `held_out`; empty where none was given."""
        return self.held_out(self) if self.held_out is not None else {}

    def export(self, folder: Path) -> None:
        """Write the averaged model as a checkpoint that the policy loads."""
        save_checkpoint(folder, merged(self.average or self.network), self.backend.processor, self.info)

    def train_step(self, rng: np.random.Generator) -> Figures:
        """Do one update; return the losses of actions and text, and of grounding where it is trained."""
        groups = [self._mixture.draw(self.settings.samples, rng) for _ in range(self.settings.images)]
        set_training(self.network)
        logits, batch, out = self._forward(self.network, groups, self._grounding is not None, self._read_back)
        losses = self._loss(logits, batch.targets, batch.dims)
        total = losses.mean()
        told: dict[str, float] = {}
        if self._grounding is not None and self._probe is not None:
            words, places = self._grounding.loss(out.attentions, batch, groups)
            offsets, error = self._probe.loss(out.hidden_states[LAYER], batch, groups)
            total = total + self.settings.grounding * (words + places) + offsets
            told = {"words": float(words.detach()), "places": float(places.detach()), "offset_mm": 1000 * error}
        self.update(total)
        action, losses = batch.dims >= 0, losses.detach()
        means = [float(part.mean()) if part.numel() else math.nan for part in (losses[action], losses[~action])]
        return {"action": means[0], "text": means[1], **told}

    def _forward(
        self, network: nn.Module, groups: Sequence[Group], attend: bool = False, read_back: ReadBack | None = None
    ) -> tuple[Tensor, PackedBatch, Any]:
        inputs, batch = to_device(*self.collate(groups), self.backend.device)
        if read_back is not None:
            inputs["input_ids"] = read_back(inputs["input_ids"], batch)
        with self._precision():
            inner = base_model(network)
            out = inner(**inputs, use_cache=False, output_attentions=attend, output_hidden_states=attend)
            hidden = out.last_hidden_state[batch.rows, batch.columns]
            logits = network.get_output_embeddings()(hidden)  # type: ignore[operator]
        return logits, batch, out

    def _precision(self) -> AbstractContextManager[Any]:
        if not self.settings.bf16:
            return nullcontext()
        return torch.autocast(self.backend.device.type, dtype=torch.bfloat16)

    @torch.no_grad()
    def predict(self, groups: Sequence[Group]) -> list[NDArray[np.int64]]:
        """Token ids of each answer, each given the true ones before it: of text the most probable ones, of actions
        among the legal bins what the checkpoint's way to decode takes (its median, else the most probable one).

        A text answer that is right here at every place is what greedy decoding gives.
        """
        network = self.average or self.network
        network.eval()
        logits, batch, _ = self._forward(network, groups)
        action = batch.dims >= 0
        chosen = logits.argmax(dim=-1)
        chosen[action] = self._chosen(logits[action], batch.dims[action])
        ids, samples = chosen.cpu().numpy(), batch.samples.cpu().numpy()
        return [ids[samples == i] for i in range(int(samples[-1]) + 1)]

    def _chosen(self, logits: Tensor, dims: Tensor) -> Tensor:
        """Logits (n, tokens) of actions' dimensions (n,) to the tokens (n,) that are decoded from them."""
        space = self.info.action_space
        ids = torch.tensor(self.info.vocabulary.ids[: space.bins], device=logits.device)
        sizes = torch.tensor(space.sizes, device=logits.device)[dims, None]
        rows = logits[:, ids].float().masked_fill(torch.arange(len(ids), device=logits.device) >= sizes, -math.inf)
        median = self.info.decode == Mode.MEDIAN
        return ids[median_bin(rows) if median else rows.argmax(dim=1)]


def base_model(network: Any) -> nn.Module:
    """The model without its head, whose last hidden state the head reads; also inside a LoRA wrapper."""
    inner = network.get_base_model() if hasattr(network, "get_base_model") else network
    model: nn.Module = inner.model
    return model


def set_training(network: nn.Module) -> None:
    """Training mode; batch norms keep their statistics, for the frames of an episode are no fair sample."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def merged(network: nn.Module) -> nn.Module:
    """The model itself, with LoRA's matrices added into its weights where there are any."""
    if not hasattr(network, "merge_and_unload"):
        return network
    return copy.deepcopy(network).merge_and_unload()  # type: ignore[no-any-return,operator]
