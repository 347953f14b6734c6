# SPDX-License-Identifier: Apache-2.0
"""Groups of samples to what a vision-language model takes, through its own processor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from vla_policy.rt2.model.backend import VlmBackend

from vla_training.rt2.packing import NO_DIMENSION, PackedBatch, TokenSample, pack
from vla_training.rt2.samples.samples import Group, Sample

PACKABLE = ("fast_vlm", "llava")  # image tokens stand first, repeat one placeholder, and attention is causal


class Collator(Protocol):
    """Makes the model's inputs, and says which positions predict what."""

    def __call__(self, groups: Sequence[Group]) -> tuple[dict[str, Any], PackedBatch]:
        """Inputs of the model without its head, and the batch that they were made from."""


def collator(backend: VlmBackend, suffix: str = "") -> Collator:
    """The one that computes an image once for all its samples where the family allows it, else the general one.

    suffix: of the prompt template, as the policy appends it.
    """
    return SharedImages(backend, suffix) if backend.family in PACKABLE else OneByOne(backend, suffix)


class SharedImages:
    """One sequence for each image; see `packing`."""

    def __init__(self, backend: VlmBackend, suffix: str = "") -> None:
        self._backend, self._tokenizer, self._suffix = backend, backend.tokenizer, suffix
        self._image_token = int(backend.model.config.image_token_index)
        self._ids = lru_cache(maxsize=4096)(self._tokenise)
        self._tokens = 0  # image tokens, known with the first picture

    def __call__(self, groups: Sequence[Group]) -> tuple[dict[str, Any], PackedBatch]:
        """Inputs and batch. Raises ValueError where a prompt does not hold one image."""
        images = self._backend.processor.image_processor([g.image for g in groups], return_tensors="pt")
        if not self._tokens:
            self._tokens = self._count(groups[0])
        packed = pack([[self._sample(s) for s in g.samples] for g in groups], int(self._tokenizer.pad_token_id))
        inputs = {
            "input_ids": packed.input_ids,
            "position_ids": packed.position_ids,
            "attention_mask": packed.mask,
            "pixel_values": images["pixel_values"],
        }
        return inputs, packed

    @property
    def first_image_token(self) -> int:
        """Position of the first image token in every sequence."""
        return self._tokenise("words").index(self._image_token)

    def _count(self, group: Group) -> int:
        inputs = self._backend.inputs([group.image], [group.samples[0].prompt])
        return int((inputs["input_ids"] == self._image_token).sum())

    def _tokenise(self, prompt: str) -> tuple[int, ...]:
        return self._backend.text_ids(prompt, self._suffix)

    def _sample(self, sample: Sample) -> TokenSample:
        ids = self._ids(sample.prompt)
        where = ids.index(self._image_token)
        prompt = (*ids[:where], *[self._image_token] * self._tokens, *ids[where + 1 :])
        return TokenSample(np.array(prompt), np.array(sample.answer), dims_of(sample))


class OneByOne:
    """One sequence for each sample, for any family; answers are appended to what the processor makes of prompts."""

    def __init__(self, backend: VlmBackend, suffix: str = "") -> None:
        self._backend, self._suffix = backend, suffix

    def __call__(self, groups: Sequence[Group]) -> tuple[dict[str, Any], PackedBatch]:
        """Inputs and batch."""
        pairs = [(group.image, sample) for group in groups for sample in group.samples]
        prompts = [sample.prompt for _, sample in pairs]
        inputs = self._backend.inputs([image for image, _ in pairs], prompts, self._suffix)
        width = inputs["input_ids"].shape[1]
        longest = max(len(sample.answer) for _, sample in pairs) - 1
        answers = torch.full((len(pairs), longest), int(self._backend.tokenizer.pad_token_id or 0))
        seen = torch.zeros((len(pairs), longest), dtype=torch.long)
        for row, (_, sample) in enumerate(pairs):
            answers[row, : len(sample.answer) - 1] = torch.tensor(sample.answer[:-1])
            seen[row, : len(sample.answer) - 1] = 1
        appended = {"input_ids": answers, "attention_mask": seen, "token_type_ids": seen}
        made = dict(inputs)
        for key in ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"):
            if key in inputs:
                more = appended.get(key, torch.zeros_like(answers)).to(inputs[key])
                made[key] = torch.cat([inputs[key], more], dim=1)
        return made, self._batch(made, [sample for _, sample in pairs], width)

    def _batch(self, inputs: dict[str, Any], samples: Sequence[Sample], width: int) -> PackedBatch:
        lengths = [len(sample.answer) for sample in samples]
        rows = np.repeat(np.arange(len(samples)), lengths)
        columns = np.concatenate([width - 1 + np.arange(length) for length in lengths])
        targets = np.concatenate([sample.answer for sample in samples])
        dims = np.concatenate([dims_of(sample) for sample in samples])
        where = [torch.from_numpy(np.asarray(a)) for a in (rows, columns, targets, dims, rows)]
        nothing = torch.zeros(0, dtype=torch.long)
        return PackedBatch(inputs["input_ids"], nothing, nothing, *where)


def dims_of(sample: Sample) -> Any:
    """The action dimension of each answer token (a,), -1 for text and for the end."""
    dims = np.full(len(sample.answer), NO_DIMENSION)
    if sample.bins is not None:
        dims[: len(sample.bins)] = np.arange(len(sample.bins))
    return dims


def to_device(inputs: dict[str, Any], batch: PackedBatch, device: torch.device) -> tuple[dict[str, Any], PackedBatch]:
    """Both on a device."""
    moved = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in inputs.items()}
    names = ("input_ids", "position_ids", "mask", "rows", "columns", "targets", "dims", "samples")
    return moved, PackedBatch(*(getattr(batch, name).to(device) for name in names))
