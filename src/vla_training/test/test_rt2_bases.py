# SPDX-License-Identifier: Apache-2.0
"""`vla train rt2` from a vision-language model on disk, and how a run keeps what its tokens mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import CONFIG_MAPPING, AutoModelForImageTextToText
from vla_policy.action.presets import RT2_TABLETOP
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.model.checkpoint import read_info
from vla_policy.rt2.prompt import prompt
from vla_policy.rt2.vocabulary import Strategy
from vla_training.cli import main
from vla_training.rt2.base.bases import add_lora, info_of_base
from vla_training.rt2.base.small_vlm import build_small_vlm
from vla_training.rt2.collate import collator
from vla_training.rt2.command import SMALL_RECIPE
from vla_training.rt2.samples.image_text import fitting, read_image_text
from vla_training.rt2.samples.samples import Group, Sample, TextEncoder

SIZE = (32, 48)
WORDS = ["pick up the red block state q a what action should the robot take to in out", "0 1 2"]
QUICK = ["--images", "1", "--samples", "1", "--threads", "1", "--report-every", "1", "--validate-every", "50"]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A vision-language model as others publish theirs: weights in bfloat16, and its processor."""
    torch.manual_seed(0)
    model, processor = build_small_vlm(WORDS, SIZE, width=32, layers=2, heads=2)
    folder = tmp_path / "base"
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def run(make_dataset: Callable[..., Path], tmp_path: Path) -> Callable[..., int]:
    data = str(make_dataset(size=SIZE))
    return lambda *words: main(
        ["train", "rt2", "--data", data, "--labels", "expert", "--out", str(tmp_path / "run"), *QUICK, *words]
    )


@pytest.fixture(scope="module")
def backend() -> VlmBackend:
    torch.manual_seed(0)
    return VlmBackend(*build_small_vlm(WORDS, SIZE, width=32, layers=2, heads=2))


def test_all_weights_of_a_base_are_trained_in_float32(run: Callable[..., int], base: Path, tmp_path: Path) -> None:
    assert run("--base", str(base), "--steps", "2", "--rate", "1e-3", "--ema", "0") == 0
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "run" / "checkpoint"))
    matrices = [name for name in before if before[name].ndim > 1]
    changed = [name for name in matrices if not torch.equal(before[name].float(), after[name])]
    assert len(changed) > 0.8 * len(matrices)
    assert {value.dtype for value in after.values() if value.is_floating_point()} == {torch.float32}


def test_a_run_that_goes_on_keeps_what_its_tokens_mean(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], make_dataset: Callable[..., Path]
) -> None:
    assert run("--steps", "1") == 0
    for words, said in (
        (["--ranges", "quantile"], "a run with ranges 'fixed', not 'quantile'"),
        (["--prompt", "rt2"], "a run with prompt 'small', not 'rt2'"),
        (["--vocabulary", "new"], "a run with vocabulary 'auto', not 'new'"),
        (["--freeze-vision"], "a run with freeze_vision False, not True"),
    ):
        assert run("--steps", "2", *words) == 2
        assert said in capsys.readouterr().err
    folder = tmp_path / "run" / "checkpoint"
    before = read_info(folder)
    state = json.loads((folder / "rt2.json").read_text())
    state["prompt"]["state"]["low"][0] -= 0.5  # as other data would have made it
    (folder / "rt2.json").write_text(json.dumps(state))
    assert run("--steps", "2") == 0
    kept = read_info(folder).prompt.state
    assert kept is not None
    assert before.prompt.state is not None
    assert kept.low[0] == pytest.approx(before.prompt.state.low[0] - 0.5)


def test_an_rt2_checkpoint_as_base_keeps_what_it_has_learnt(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its prompt's state range, tokens and decoding, whatever the new data; but for what is asked for."""
    assert run("--steps", "1", "--ranges", "quantile") == 0
    taught = tmp_path / "taught"
    (tmp_path / "run" / "checkpoint").rename(taught)
    state = json.loads((taught / "rt2.json").read_text())
    state["prompt"]["state"]["low"][0] -= 0.5  # as other data would have made it
    state["vocabulary"] = {"strategy": "overwrite", "ids": state["vocabulary"]["ids"][::-1]}
    (taught / "rt2.json").write_text(json.dumps(state))
    assert run("--base", str(taught), "--steps", "1", "--fresh") == 0
    assert "is an RT-2 checkpoint: its prompt, ranges, action tokens stay" in capsys.readouterr().out
    before, after = read_info(taught), read_info(tmp_path / "run" / "checkpoint")
    assert (after.prompt, after.vocabulary, after.action_space) == (
        before.prompt,
        before.vocabulary,
        before.action_space,
    )
    assert after.control["decode"] == "median"
    assert run("--base", str(taught), "--steps", "1", "--fresh", "--prompt", "rt2", "--vocabulary", "integers") == 0
    after = read_info(tmp_path / "run" / "checkpoint")
    assert (after.prompt, after.vocabulary.ids) == (prompt("rt2"), before.vocabulary.ids[::-1])


def test_a_run_that_goes_on_from_an_rt2_checkpoint_keeps_its_prompt(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--steps", "1") == 0
    (tmp_path / "run" / "checkpoint").rename(tmp_path / "taught")
    begun = ["--base", str(tmp_path / "taught")]
    assert run(*begun, "--steps", "1", "--fresh", "--soft-bins", "2") == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    found = {key: record[key] for key in ("rate", "soft_bins", "read_back", "grounding", "prompt")}
    assert found == SMALL_RECIPE | {"soft_bins": 2.0, "prompt": "base"}
    assert run(*begun, "--steps", "2", "--prompt", "rt2") == 2
    assert "a run with prompt 'base', not 'rt2'" in capsys.readouterr().err
    assert run(*begun, "--steps", "2") == 0


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"vocabulary": {"strategy": "overwrite", "ids": [*range(10, 265), 999999]}}, "largest action token is 999999"),
        ({"vocabulary": {"strategy": "integers", "ids": [*range(10, 266)]}}, "this is another tokenizer"),
        ({"state": ["gripper_width", "ee_z", "ee_y", "ee_x"]}, "valid is what robot data have: ee_x, ee_y, ee_z"),
    ],
)
def test_an_rt2_checkpoint_that_does_not_fit_is_refused_as_base(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], part: dict[str, Any], said: str
) -> None:
    assert run("--steps", "1") == 0
    taught = tmp_path / "taught"
    (tmp_path / "run" / "checkpoint").rename(taught)
    info = json.loads((taught / "rt2.json").read_text())
    info["prompt"]["state"]["names"] = part.pop("state", info["prompt"]["state"]["names"])
    (taught / "rt2.json").write_text(json.dumps(info | part))
    assert run("--base", str(taught), "--steps", "1", "--fresh") == 2
    assert said in capsys.readouterr().err


def test_a_base_whose_dimensions_mean_something_else_begins_anew(run: Callable[..., int], tmp_path: Path) -> None:
    assert run("--steps", "1") == 0
    taught = tmp_path / "taught"
    (tmp_path / "run" / "checkpoint").rename(taught)
    info = json.loads((taught / "rt2.json").read_text())
    info["action_space"]["delta_reference"] = "commanded"
    (taught / "rt2.json").write_text(json.dumps(info))
    assert info_of_base(str(taught)) is None
    assert run("--base", str(taught), "--steps", "1", "--fresh", "--prompt", "rt2") == 0
    assert read_info(tmp_path / "run" / "checkpoint").action_space == RT2_TABLETOP


def test_a_base_that_there_is_none_of_is_refused(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--base", "nothing", "--steps", "1") == 2
    assert "shipped are small_fr3" in capsys.readouterr().err


def test_new_tokens_are_trained_and_not_beside_lora(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--steps", "1", "--vocabulary", "new", "--lora", "4") == 2
    assert "new tokens would never be trained" in capsys.readouterr().err
    assert run("--steps", "1", "--vocabulary", "new", "--fresh") == 0
    info = read_info(tmp_path / "run" / "checkpoint")
    assert info.vocabulary.strategy is Strategy.NEW


@pytest.mark.parametrize("vision", [False, True])
def test_a_frozen_image_encoder_gets_no_lora(vision: bool) -> None:
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CONFIG_MAPPING["llava"](
        vision_config={**small, "model_type": "clip_vision_model", "image_size": 16, "patch_size": 8},
        text_config={**small, "model_type": "llama", "vocab_size": 64},
        image_token_index=63,
    )
    backend = SimpleNamespace(model=AutoModelForImageTextToText.from_config(config))
    add_lora(backend, 2, vision=vision)  # type: ignore[arg-type]
    trained = [name for name, parameter in backend.model.named_parameters() if parameter.requires_grad]
    assert any("language_model" in name for name in trained)
    assert any("vision" in name for name in trained) == vision


def test_training_reads_the_prompt_that_the_policy_reads(backend: VlmBackend) -> None:
    sample = Sample("pick up the red block", (5, 6), None, np.full((2, 3), np.nan))
    image = np.zeros((*SIZE, 3), np.uint8)
    _, batch = collator(backend, "red")([Group(image, (sample,))])
    wanted = backend.inputs([image], [sample.prompt], "red")["input_ids"][0].tolist()
    assert wanted[-1] == backend.tokenizer.convert_tokens_to_ids("red")
    assert batch.input_ids[0, : len(wanted)].tolist() == wanted


def test_texts_that_the_model_cannot_read_are_left_out(backend: VlmBackend, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((*SIZE, 3), np.uint8))
    rows = [
        {"question": "<image> what?", "answer": "red block"},
        {"question": "what?", "answer": "red " * 600},
        {"question": f"what {backend.tokenizer.eos_token}?", "answer": "red"},
    ]
    lines = [json.dumps({"file_name": "a.png", **row}) for row in rows]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    kept, left_out = fitting(read_image_text(tmp_path), backend, prompt("rt2"), TextEncoder(backend.tokenizer))
    assert [item.pairs for item in kept] == [(("what?", "red block"),)]
    assert left_out == 2
