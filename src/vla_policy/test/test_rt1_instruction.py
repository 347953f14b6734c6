# SPDX-License-Identifier: Apache-2.0
"""The sentence encoder: offline, cached, and telling instructions apart."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from vla_policy.rt1.instruction import InstructionEncoder, InstructionEncoderError, encoder_path
from vla_policy.rt1.instruction.sentence import SentenceModel


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


@pytest.fixture(scope="module")
def bert() -> torch.nn.Module:
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig.from_json_file(encoder_path() / "config.json"), add_pooling_layer=False)
    model.load_state_dict(load_file(encoder_path() / "model.safetensors"), strict=False)
    return model.eval()


@pytest.fixture(scope="module")
def model() -> SentenceModel:
    model = SentenceModel(json.loads((encoder_path() / "config.json").read_text(encoding="utf-8")))
    model.load_bert(load_file(encoder_path() / "model.safetensors"))
    return model.eval()


@pytest.mark.parametrize("length", [2, 3, 7, 32, 512])
def test_the_network_computes_what_transformers_bert_computes(
    length: int, bert: torch.nn.Module, model: SentenceModel
) -> None:
    ids = torch.randint(1, 30000, (2, length), generator=torch.Generator().manual_seed(length))
    with torch.no_grad():
        torch.testing.assert_close(model(ids), bert(ids).last_hidden_state, atol=2e-5, rtol=0.0)


def test_another_kind_of_network_is_refused() -> None:
    config = json.loads((encoder_path() / "config.json").read_text(encoding="utf-8"))
    with pytest.raises(ValueError, match="hidden_act is 'relu'; valid is 'gelu'"):
        SentenceModel(config | {"hidden_act": "relu"})
    with pytest.raises(KeyError, match="hidden_size"):
        SentenceModel({})


def test_a_policy_is_ready_without_the_libraries_that_take_seconds_to_import() -> None:
    code = (
        "import sys\n"
        "from vla_policy.policy import PolicyConfig\n"
        "from vla_policy.registry import create\n"
        "create('rt1', PolicyConfig('', robot='fr3', device='cpu')).close()\n"
        "slow = {'transformers', 'torch._dynamo', 'sympy', 'scipy.optimize', 'matplotlib', 'cv2', 'peft'}\n"
        "sys.exit(', '.join(sorted(slow & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
