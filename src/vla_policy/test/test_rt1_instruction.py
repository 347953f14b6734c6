# SPDX-License-Identifier: Apache-2.0
"""The sentence encoder: offline, cached, and telling instructions apart."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from vla_policy.rt1.instruction import InstructionEncoder, InstructionEncoderError


@pytest.fixture(scope="module")
def encoder() -> InstructionEncoder:
    return InstructionEncoder()


def test_known_text_comes_from_the_cache(encoder: InstructionEncoder) -> None:
    first = encoder("pick up the red block")
    hits = encoder.cache_hits
    assert encoder("  Pick up  the red block. ") is first
    assert encoder.cache_hits == hits + 1


def test_shapes_padding_and_length(encoder: InstructionEncoder) -> None:
    batch = encoder.batch(["pick up the red block", "stop " * 3000])
    assert batch.tokens.shape == (2, 32, 384)
    assert batch.mask.sum(dim=1).tolist() == [7, 32]
    assert batch.tokens[0, 7:].abs().max() == 0
    torch.testing.assert_close(batch.sentence.norm(dim=1), torch.ones(2))


def test_meaning_is_near_and_role_is_kept(encoder: InstructionEncoder) -> None:
    pick, lift, push = (
        encoder(text).sentence[0]
        for text in ("pick up the red block", "grab the red block", "push the blue block to the left")
    )
    assert pick @ lift > pick @ push
    one = encoder("move the red block next to the blue block").tokens
    other = encoder("move the blue block next to the red block").tokens
    assert (one - other).abs().max() > 0.1


def test_empty_text_and_missing_files_are_refused(encoder: InstructionEncoder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no words"):
        encoder(" . ")
    with pytest.raises(InstructionEncoderError, match="no sentence encoder"):
        InstructionEncoder(tmp_path)
