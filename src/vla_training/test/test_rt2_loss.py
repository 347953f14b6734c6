# SPDX-License-Identifier: Apache-2.0
"""The next-token loss of RT-2, and the attention loss beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from vla_policy.action.presets import RT2_TABLETOP
from vla_policy.rt2.vocabulary import ActionVocabulary, Strategy
from vla_training.rt2.packing import TokenSample, pack
from vla_training.rt2.read_back import ReadBack
from vla_training.rt2.token_loss import TokenLoss

VOCABULARY = ActionVocabulary(Strategy.OVERWRITE, tuple(range(300, 44, -1)))  # bin 0 is id 300
X = RT2_TABLETOP.index("x")


def logits(rows: int) -> torch.Tensor:
    return torch.randn(rows, 320, generator=torch.Generator().manual_seed(0))


def test_the_plain_loss_is_cross_entropy_over_the_whole_vocabulary() -> None:
    targets, dims = torch.tensor([5, 300, 45, 200]), torch.tensor([-1, 0, X, 7])
    losses = TokenLoss(RT2_TABLETOP, VOCABULARY)(logits(4), targets, dims)
    torch.testing.assert_close(losses, F.cross_entropy(logits(4), targets, reduction="none"))


def test_only_translations_are_softened() -> None:
    targets, dims = torch.tensor([5, 300, 200, 200]), torch.tensor([-1, 0, X, 7])
    plain, soft = (TokenLoss(RT2_TABLETOP, VOCABULARY, s)(logits(4), targets, dims) for s in (0.0, 3.0))
    assert torch.equal(plain[[0, 1, 3]], soft[[0, 1, 3]])
    assert plain[2] != soft[2]


@pytest.mark.parametrize("bin_", [0, 100, 255])
def test_a_softened_target_prefers_near_bins_to_far_ones(bin_: int) -> None:
    loss = TokenLoss(RT2_TABLETOP, VOCABULARY, 3.0)
    ids = np.array(VOCABULARY.ids)

    def of(predicted: int) -> float:
        row = torch.zeros(1, 320)
        row[0, ids[predicted]] = 5.0
        return float(loss(row, torch.tensor([ids[bin_]]), torch.tensor([X])))

    step = 1 if bin_ < 200 else -1
    values = [of(bin_ + step * k) for k in (0, 2, 5, 40)]
    assert values == sorted(values)
    assert values[0] < values[-1] - 0.5


def test_translations_are_read_back_near_the_truth_and_nothing_else_is() -> None:
    ids = np.array(VOCABULARY.ids)
    answer = np.array([*ids[[0, 100, 255, 0, 128, 128, 128, 255]], 2])
    dims = np.array([*range(8), -1])
    group = [TokenSample(np.array([9, 9, 9]), answer, dims), TokenSample(np.array([9, 9, 8]), answer[-1:], dims[-1:])]
    batch = pack([group] * 200, pad=0)
    read = ReadBack(RT2_TABLETOP, VOCABULARY, 3.0)(batch.input_ids, batch)
    changed = (read != batch.input_ids).any(dim=0).nonzero()[:, 0].tolist()
    assert changed == [4, 5, 6]  # behind the prompt and `terminate`
    bins = 300 - read[:, 4:7]
    assert bins.min() >= 0
    assert bins.max() <= 255
    assert float((bins[:, 0] - 100.0).std()) == pytest.approx(3.0, rel=0.25)
    assert torch.equal(ReadBack(RT2_TABLETOP, VOCABULARY, 0.0)(batch.input_ids, batch), batch.input_ids)
