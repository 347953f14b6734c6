# SPDX-License-Identifier: Apache-2.0
"""Several samples of one image as one sequence: the image's tokens are computed once for all of them.

    [ image, words that all prompts begin with ][ rest of prompt 1, answer 1 ][ rest of prompt 2, answer 2 ] ...

Each sample sees the common beginning and itself, and its positions go on from the beginning's: the model computes what
it would compute for each sample alone (a test holds the two equal). This needs a causal model with one position per
token, and image tokens that stand before the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ids = NDArray[np.int64]
NO_DIMENSION = -1


@dataclass(frozen=True, slots=True, eq=False)
class TokenSample:
    """Token ids of a prompt, image placeholders expanded, and of its answer; dims: (a,) action dimension or -1."""

    prompt: Ids
    answer: Ids
    dims: Ids


@dataclass(frozen=True, slots=True, eq=False)
class PackedBatch:
    """B sequences of length L with N predicted tokens. `mask` is additive, as transformers takes a 4-D mask."""

    input_ids: Tensor  # (B, L)
    position_ids: Tensor  # (B, L)
    mask: Tensor  # (B, 1, L, L) 0 or -inf
    rows: Tensor  # (N,) sequence, and
    columns: Tensor  # (N,) position, whose output predicts
    targets: Tensor  # (N,) this token id,
    dims: Tensor  # (N,) of this action dimension, -1 for text,
    samples: Tensor  # (N,) of this sample, counted through the batch


def common_prefix(prompts: Sequence[Ids]) -> int:
    """How many leading tokens all prompts share, at most one less than the shortest has."""
    shortest = min(len(prompt) for prompt in prompts) - 1
    first = prompts[0][:shortest]
    same = np.ones(shortest, dtype=bool)
    for prompt in prompts[1:]:
        same &= prompt[:shortest] == first
    return int(shortest if same.all() else np.argmin(same))


def pack(groups: Sequence[Sequence[TokenSample]], pad: int) -> PackedBatch:
    """One sequence for each group of samples of an image; all prompts of a group begin with its image tokens."""
    sequences = [_sequence(group) for group in groups]
    length = max(len(sequence.ids) for sequence in sequences)
    ids = np.full((len(groups), length), pad)
    positions = np.zeros((len(groups), length), dtype=np.int64)
    visible = np.zeros((len(groups), length, length), dtype=bool)
    visible[:, np.arange(length), np.arange(length)] = True  # padding sees itself: a row without any is NaN
    for row, sequence in enumerate(sequences):
        size = len(sequence.ids)
        ids[row, :size], positions[row, :size] = sequence.ids, sequence.positions
        segment = sequence.segments
        sees = (segment[:, None] == segment[None]) | (segment[None] == 0)
        visible[row, :size, :size] = sees & np.tri(size, dtype=bool)
    mask = torch.zeros(visible.shape).masked_fill_(~torch.from_numpy(visible), torch.finfo(torch.float32).min)
    return PackedBatch(torch.from_numpy(ids), torch.from_numpy(positions), mask[:, None], *_predicted(sequences))


@dataclass(frozen=True, slots=True, eq=False)
class _Sequence:
    ids: Ids
    positions: Ids
    segments: Ids  # 0 the common beginning, then 1 for each sample
    columns: Ids  # whose outputs predict
    targets: Ids
    dims: Ids
    samples: Ids  # 0 .. samples - 1


def _sequence(group: Sequence[TokenSample]) -> _Sequence:
    start = common_prefix([sample.prompt for sample in group])
    ids, positions, segments = [group[0].prompt[:start]], [np.arange(start)], [np.zeros(start, np.int64)]
    columns, offset = [], start
    for number, sample in enumerate(group):
        own = np.concatenate([sample.prompt[start:], sample.answer[:-1]])
        ids.append(own)
        positions.append(start + np.arange(len(own)))
        segments.append(np.full(len(own), number + 1))
        first = offset + len(sample.prompt) - start - 1
        columns.append(first + np.arange(len(sample.answer)))
        offset += len(own)
    return _Sequence(
        np.concatenate(ids),
        np.concatenate(positions),
        np.concatenate(segments),
        np.concatenate(columns),
        np.concatenate([sample.answer for sample in group]),
        np.concatenate([sample.dims for sample in group]),
        np.repeat(np.arange(len(group)), [len(sample.answer) for sample in group]),
    )


def _predicted(sequences: Sequence[_Sequence]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    rows = np.repeat(np.arange(len(sequences)), [len(s.columns) for s in sequences])
    before = np.cumsum([0, *(int(s.samples[-1]) + 1 for s in sequences)])[:-1]
    samples = np.concatenate([s.samples + b for s, b in zip(sequences, before, strict=True)])
    columns, targets, dims = (
        np.concatenate([getattr(s, name) for s in sequences]) for name in ("columns", "targets", "dims")
    )
    return tuple(torch.from_numpy(np.asarray(a)) for a in (rows, columns, targets, dims, samples))  # type: ignore[return-value]
