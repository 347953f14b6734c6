# SPDX-License-Identifier: Apache-2.0
"""Samples that share an image: the model computes what it would compute for each alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from vla_training.rt2.packing import TokenSample, common_prefix, pack

PAD = 0


def sample(prompt: list[int], answer: list[int]) -> TokenSample:
    return TokenSample(np.array(prompt), np.array(answer), np.full(len(answer), -1))


def groups() -> list[list[TokenSample]]:
    start = [5, 9, 9, 9, 7]
    return [
        [
            sample([*start, 11, 12], [20, 21, 2]),
            sample([*start, 13], [22, 2]),
            sample([*start, 11, 14, 15], [23, 24, 2]),
        ],
        [sample([*start, 31], [25, 26, 27, 28, 2])],
    ]


def model() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=64, n_positions=64, n_embd=32, n_layer=3, n_head=4, initializer_range=0.3)
    return GPT2LMHeadModel(config).eval()


def test_a_packed_sample_is_computed_as_if_it_were_alone() -> None:
    network, batch = model(), pack(groups(), PAD)
    with torch.no_grad():
        logits = network(input_ids=batch.input_ids, position_ids=batch.position_ids, attention_mask=batch.mask).logits[
            batch.rows, batch.columns
        ]
        alone = []
        for one in (s for group in groups() for s in group):
            ids = torch.from_numpy(np.concatenate([one.prompt, one.answer[:-1]]))[None]
            alone.append(network(input_ids=ids).logits[0, len(one.prompt) - 1 :])
    torch.testing.assert_close(logits, torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_a_batch_names_every_answer_token_once_and_in_order() -> None:
    batch = pack(groups(), PAD)
    answers = [s.answer for group in groups() for s in group]
    assert batch.targets.tolist() == np.concatenate(answers).tolist()
    assert batch.samples.tolist() == [i for i, answer in enumerate(answers) for _ in answer]


@pytest.mark.parametrize(
    ("prompts", "shared"),
    [([[1, 2, 3], [1, 2, 4]], 2), ([[1, 2, 3]], 2), ([[1, 2], [1, 2, 3]], 1), ([[4, 2], [1, 2]], 0)],
)
def test_the_common_beginning_leaves_each_prompt_at_least_a_token(prompts: list[list[int]], shared: int) -> None:
    assert common_prefix([np.array(prompt) for prompt in prompts]) == shared
