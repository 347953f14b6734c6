# SPDX-License-Identifier: Apache-2.0
"""RT-2 checkpoints: round trip, and each way in which one can be wrong."""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from vla_policy.action.presets import RT2, RT2_TABLETOP
from vla_policy.errors import CheckpointError, ConfigurationError
from vla_policy.rt2.decoding.memory import available_bytes, check_memory, weight_bytes
from vla_policy.rt2.model.checkpoint import RT2Info, find_checkpoint, load_checkpoint, read_info, save_checkpoint
from vla_policy.rt2.model.quantization import packed_size
from vla_policy.rt2.prompt import prompt
from vla_policy.rt2.vocabulary import Strategy, build_vocabulary

CONTROL = {"period_s": 0.2, "gripper_max_width": 0.08}


@pytest.fixture(scope="module")
def made(rt2_models: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Folder, model, processor, info."""
    model, processor = rt2_models.make("fast_vlm")
    vocabulary = build_vocabulary(Strategy.INTEGERS, processor.tokenizer)
    info = RT2Info(RT2_TABLETOP, vocabulary, prompt("rt2_state"), "fr3", CONTROL)
    folder = tmp_path_factory.mktemp("whole")
    save_checkpoint(folder, model, processor, info)
    return folder, model, processor, info


@pytest.fixture
def folder(made: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "copy"))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_round_trip_is_exact(made: Any) -> None:
    folder, model, _, info = made
    loaded = load_checkpoint(folder, robot="fr3")
    assert loaded.info == info == read_info(folder)
    assert loaded.source == str(folder)
    assert not loaded.backend.model.training
    theirs = loaded.backend.model.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in model.state_dict().items())


def test_saving_again_replaces_and_leaves_nothing_behind(made: Any, folder: Path) -> None:
    _, model, processor, info = made
    before = sorted(path.name for path in folder.iterdir())
    save_checkpoint(folder, model, processor, RT2Info(info.action_space, info.vocabulary, info.prompt, "wx250s"))
    assert sorted(path.name for path in folder.iterdir()) == before
    assert read_info(folder).robot == "wx250s"


def test_another_robot_is_refused_and_no_robot_fits_all(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="'fr3', not for 'wx250s'"):
        load_checkpoint(folder, robot="wx250s")
    edit(folder / "rt2.json", robot="")
    assert load_checkpoint(folder, robot="wx250s").info.robot == ""


def test_a_model_without_actions_says_how_to_get_them(folder: Path) -> None:
    (folder / "rt2.json").unlink()
    with pytest.raises(CheckpointError, match=r"without an action vocabulary; `vla train rt2 --base .*` gives it one"):
        load_checkpoint(folder)


def test_no_vision_language_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        load_checkpoint(tmp_path)
    transformers.BertConfig(hidden_size=8).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="is a bert model, no vision-language model; valid are the image-text"):
        load_checkpoint(tmp_path)


def test_code_of_a_checkpoint_is_never_run(folder: Path) -> None:
    code = {"AutoConfig": "code.Config", "AutoModelForImageTextToText": "code.Model"}
    (folder / "code.py").write_text("raise SystemExit('it ran')\n")
    (folder / "config.json").write_text(json.dumps({"model_type": "openvla", "auto_map": code}))
    with pytest.raises(CheckpointError, match="its own Python code, which is never run here"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "consolidated.pth", "model.pt"])
def test_a_pickle_is_refused(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(CheckpointError, match=f"pickled weights \\({name}\\).*valid is model.safetensors"):
        load_checkpoint(folder)


def test_an_adapter_left_beside_a_merged_model_is_refused(folder: Path) -> None:
    """from_pretrained would apply it a second time without a word."""
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(
        CheckpointError, match=r"holds an adapter \(adapter_config\.json\).*valid is a merged model alone"
    ):
        load_checkpoint(folder)


def test_no_weights_at_all(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors"):
        load_checkpoint(folder)


@pytest.mark.parametrize("kept", [0, 7, 5000, 100_000])
def test_truncated_weights(folder: Path, kept: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="damaged or truncated"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["config.json", "rt2.json", "tokenizer.json", "processor_config.json"])
def test_truncated_text(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text(path.read_text()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=r"unreadable|no model at|processor of .* cannot be loaded"):
        load_checkpoint(folder)


def test_a_missing_processor(folder: Path) -> None:
    for name in ("processor_config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(CheckpointError, match=r"processor of .* cannot be loaded"):
        load_checkpoint(folder)


def test_weights_that_do_not_fit(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    head = weights["lm_head.weight"]
    save_file({name: value for name, value in weights.items() if name != "lm_head.weight"}, path)
    with pytest.raises(CheckpointError, match=r"do not fit its config\.json: missing are lm_head\.weight"):
        load_checkpoint(folder)
    save_file(weights | {"lm_head.weight": head[:, :16].contiguous()}, path)
    with pytest.raises(CheckpointError, match=r"mismatched are .*lm_head\.weight"):
        load_checkpoint(folder)
    save_file(weights | {"lm_head.weight": torch.full_like(head, float("nan"))}, path)
    with pytest.raises(CheckpointError, match=r"lm_head\.weight holds numbers that are not finite"):
        load_checkpoint(folder)


def test_memory_too_small_is_told_before_anything_is_loaded(folder: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**38], "data_offsets": [0, 2**40]}}).encode()
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 8 + len(header) + 2**40)  # a hole: nothing is written
    with pytest.raises(CheckpointError, match=r"memory too small: the weights need 1126\.4 GiB in float32, cpu has"):
        load_checkpoint(folder)
    with pytest.raises(CheckpointError, match=r"need 563\.2 GiB in bfloat16"):
        load_checkpoint(folder, dtype="bfloat16")


def test_an_index_that_is_too_large_or_incomplete(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    weight_map = {"a": "model.safetensors", "b": "other.safetensors"}
    index.write_text(json.dumps({"metadata": {"total_size": 2**45}, "weight_map": weight_map}))
    with pytest.raises(CheckpointError, match=r"memory too small: .* 32768\.0 GiB"):
        load_checkpoint(folder)
    edit(index, metadata={"total_size": 1000})
    with pytest.raises(CheckpointError, match=r"is incomplete: of model\.safetensors, other\.safetensors"):
        load_checkpoint(folder)
    index.write_text("{}")
    with pytest.raises(CheckpointError, match="unreadable or truncated"):
        load_checkpoint(folder)


def test_weights_are_counted_as_they_will_be(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {
        "a": torch.zeros(100, 10),
        "b": torch.zeros(7, dtype=torch.int64),
        "c": torch.zeros(3, dtype=torch.bfloat16),
    }
    save_file(tensors, path)
    assert weight_bytes(path, None) == 4000 + 56 + 6
    assert weight_bytes(path, torch.bfloat16) == 2000 + 56 + 6
    assert weight_bytes(path, torch.float32) == 4000 + 56 + 12
    check_memory([path], None, "cpu")
    check_memory([path, path], None, "cpu", available=9000)
    with pytest.raises(CheckpointError, match="memory too small"):
        check_memory([path, path], None, "cpu", available=8000)
    dtype, share = packed_size("int4", "cuda", None)
    check_memory([path], dtype, "cpu", available=620, share=share)
    save_file({"embed_tokens.weight": torch.zeros(100, 10)}, path)
    assert weight_bytes(path, dtype, share) == 2000  # stays at 16 bit
    assert (
        packed_size("int8", "cpu", torch.float32) == packed_size("none", "cuda", torch.float32) == (torch.float32, 1.0)
    )
    assert 2**26 < available_bytes("cpu") < 2**50


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"format": "vla-rt1-1"}, "format is 'vla-rt1-1'; valid is 'vla-rt2-1'"),
        ({"robot": None}, "'robot' is missing or not str"),
        ({"action_space": {}}, "action space: missing"),
        ({"vocabulary": {"strategy": "integers", "ids": [1, 1]}}, "all distinct"),
        ({"vocabulary": {"strategy": "integers", "ids": [1, 2]}}, "2 action tokens; valid for rt2_tabletop are 256"),
        ({"prompt": {"name": "x"}}, "prompt is"),
    ],
)
def test_a_wrong_description(folder: Path, changes: dict[str, object], match: str) -> None:
    edit(folder / "rt2.json", **changes)
    with pytest.raises(CheckpointError, match=match):
        load_checkpoint(folder)
    (folder / "rt2.json").write_text("[1]")
    with pytest.raises(CheckpointError, match="it holds list"):
        load_checkpoint(folder)


def test_action_tokens_that_the_model_does_not_have(folder: Path) -> None:
    ids = list(range(10_000, 10_256))
    edit(folder / "rt2.json", vocabulary={"strategy": "new", "ids": ids})
    with pytest.raises(CheckpointError, match=r"largest action token is 10255, the model has \d+ tokens"):
        load_checkpoint(folder)


def test_another_tokenizer_is_noticed(folder: Path) -> None:
    ids = list(read_info(folder).vocabulary.ids)
    edit(folder / "rt2.json", vocabulary={"strategy": "integers", "ids": ids[::-1]})
    with pytest.raises(CheckpointError, match="action token 0 reads '255'; valid with strategy integers is the number"):
        load_checkpoint(folder)


def test_bins_and_vocabulary_belong_together(made: Any) -> None:
    vocabulary = build_vocabulary(Strategy.INTEGERS, made[2].tokenizer, bins=100)
    with pytest.raises(ConfigurationError, match="100 action tokens; valid for rt2 are 256"):
        RT2Info(RT2, vocabulary, prompt("rt2"))


def test_new_tokens_survive_saving(rt2_models: ModuleType, tmp_path: Path) -> None:
    model, processor = rt2_models.make("llava")
    vocabulary = build_vocabulary(Strategy.NEW, processor.tokenizer)
    model.resize_token_embeddings(len(processor.tokenizer))
    save_checkpoint(tmp_path, model, processor, RT2Info(RT2, vocabulary, prompt("rt2")))
    loaded = load_checkpoint(tmp_path)
    assert loaded.info.vocabulary == vocabulary == build_vocabulary(Strategy.NEW, loaded.backend.tokenizer)
    np.testing.assert_array_equal(vocabulary.decode(loaded.backend.tokenizer("<act_9>").input_ids[-1:]), [9])


def test_where_a_checkpoint_is_looked_for(folder: Path) -> None:
    assert find_checkpoint(str(folder), "fr3") == str(folder)
    assert find_checkpoint("google/paligemma2-3b-pt-224", "fr3") == "google/paligemma2-3b-pt-224"
    for name in ("nothing_here", "/no/such/folder", "~/no such folder"):
        with pytest.raises(CheckpointError, match=r"no RT-2 checkpoint .*; shipped are"):
            find_checkpoint(name, "fr3")
    with pytest.raises(CheckpointError, match="'small_r2d2'"):
        find_checkpoint("", "r2d2")


def test_a_hub_id_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="nobody/nothing-here"):
        load_checkpoint("nobody/nothing-here")
