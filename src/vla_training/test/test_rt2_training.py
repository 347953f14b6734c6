# SPDX-License-Identifier: Apache-2.0
"""`vla train rt2` as a user runs it, on a few small pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from vla_policy.action.presets import RT2_TABLETOP
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.model.checkpoint import load_checkpoint
from vla_training.cli import main
from vla_training.rt2.base.bases import make_info, make_vocabulary, small_prompt
from vla_training.rt2.base.small_vlm import build_small_vlm
from vla_training.rt2.collate import OneByOne, SharedImages
from vla_training.rt2.samples.labels import ActionLabels, action_space, rt2_bins
from vla_training.rt2.samples.robot_data import load_robot_data
from vla_training.rt2.samples.samples import Group, RobotSource, SceneSource, TextEncoder
from vla_training.rt2.settings import RT2Settings
from vla_training.rt2.trainer import RT2Trainer, base_model
from vla_training.run.run_log import VALIDATION_LOG, read

SIZE = (32, 48)
EXPERT = ["--labels", "expert"]
QUICK = ["--images", "2", "--samples", "2", "--threads", "1", "--report-every", "1", "--validate-every", "50"]


@pytest.fixture
def data(make_dataset: Callable[..., Path]) -> Path:
    return make_dataset(size=SIZE)


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Callable[..., int]:
    return lambda *words: main(
        ["train", "rt2", "--data", str(data), "--out", str(tmp_path / "run"), *QUICK, *EXPERT, *words]
    )


def test_a_run_trains_goes_on_and_gives_a_checkpoint_that_loads(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--steps", "1") == 0
    assert run("--steps", "2", "--resume") == 0
    assert "continues at step 1" in capsys.readouterr().out
    folder = tmp_path / "run" / "checkpoint"
    checkpoint = load_checkpoint(folder, robot="fr3")
    assert checkpoint.info.vocabulary.strategy.value == "integers"
    assert "2 steps of 2 pictures" in (folder / "README.md").read_text()
    figures = read(tmp_path / "run" / VALIDATION_LOG)[-1]
    assert 0.0 <= figures["answers"] <= 1.0
    assert figures["step_mm"] > 0.0
    assert run("--steps", "2") == 0
    assert "nothing to do" in capsys.readouterr().out


def test_lora_trains_few_weights_and_leaves_a_plain_checkpoint(run: Callable[..., int], tmp_path: Path) -> None:
    assert run("--steps", "1", "--lora", "4", "--fresh") == 0
    assert run("--steps", "3", "--lora", "4", "--rate", "0.05") == 0
    state = load_file(tmp_path / "run" / "state.safetensors")
    trained = sum(v.numel() for k, v in state.items() if k.startswith("optimiser/") and k.endswith("exp_avg"))
    assert 0 < trained < 0.15 * sum(v.numel() for k, v in state.items() if k.startswith("network/"))
    names = set(load_file(tmp_path / "run" / "checkpoint" / "model.safetensors"))
    assert not any("lora" in name for name in names)
    assert load_checkpoint(tmp_path / "run" / "checkpoint").backend.family == "fast_vlm"


def test_another_base_does_not_continue_a_run(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--steps", "1", "--robot-share", "1") == 0
    assert run("--steps", "2", "--lora", "4") == 2
    assert "holds a run with lora 0, not 4" in capsys.readouterr().err


def test_no_image_text_at_all_is_refused(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--steps", "1", "--no-scene-questions") == 2
    assert "--robot-share 1 for robot data alone" in capsys.readouterr().err


def test_a_missing_data_set_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "rt2", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "run")]) == 2
    assert "no data set at" in capsys.readouterr().err


@pytest.fixture(scope="module")
def backend() -> VlmBackend:
    torch.manual_seed(0)
    model, processor = build_small_vlm(["pick up the red block"], SIZE, width=32, layers=2, heads=2)
    return VlmBackend(model.eval(), processor)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A source that always gives the same group."""

    groups: list[Group]

    def draw(self, count: int, rng: np.random.Generator) -> Group:
        return self.groups[0]


def groups(backend: VlmBackend, folder: Path) -> list[Group]:
    robot_data = load_robot_data([folder], lambda _: None)
    table = robot_data.table
    info = make_info(make_vocabulary(backend, "integers", 256), small_prompt(table), robot_data, RT2_TABLETOP)
    encode, rows, rng = TextEncoder(backend.tokenizer), np.arange(len(table)), np.random.default_rng(0)
    robot = RobotSource(table, rows, info.prompt, ActionLabels(RT2_TABLETOP), info.vocabulary, encode)
    scenes = SceneSource(table, rows, info.prompt, encode)
    return [robot.draw(3, rng), scenes.draw(3, rng)]


def test_both_collators_give_the_same_predictions(backend: VlmBackend, data: Path) -> None:
    drawn, logits = groups(backend, data), []
    for collate in (SharedImages(backend), OneByOne(backend)):
        inputs, batch = collate(drawn)
        if isinstance(collate, OneByOne):  # learned positions do not count the padding on the left
            inputs["position_ids"] = (inputs["attention_mask"].cumsum(dim=1) - 1).clamp_min(0)
        with torch.no_grad():
            hidden = base_model(backend.model)(**inputs, use_cache=False).last_hidden_state
        logits.append(backend.model.lm_head(hidden[batch.rows, batch.columns]))
    torch.testing.assert_close(logits[0], logits[1], atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("decode", ["greedy", "median"])
def test_validation_takes_of_actions_what_the_policy_will(
    backend: VlmBackend, data: Path, tmp_path: Path, decode: str
) -> None:
    drawn = groups(backend, data)
    robot_data = load_robot_data([data], lambda _: None)
    info = make_info(
        make_vocabulary(backend, "integers", 256), small_prompt(robot_data.table), robot_data, RT2_TABLETOP
    )
    info = replace(info, control={"decode": decode})
    trainer = RT2Trainer(backend, info, Drawn(drawn), RT2Settings(ema=0.0), tmp_path)
    predicted = trainer.predict(drawn)
    with torch.no_grad():
        logits, batch, _ = trainer._forward(trainer.network, drawn)
    ids = torch.tensor(info.vocabulary.ids)
    differ = 0
    for number in range(len(drawn[0].samples)):
        rows = logits[batch.samples == number]
        for dimension, size in enumerate(RT2_TABLETOP.sizes):
            shares = rows[dimension, ids[:size]].double().softmax(dim=0).numpy()
            median, greedy = int(np.searchsorted(np.cumsum(shares), 0.5)), int(shares.argmax())
            differ += median != greedy
            assert predicted[number][dimension] == ids[median if decode == "median" else greedy]
        assert predicted[number][-1] == int(rows[-1].argmax())  # the end of the action is text
    assert differ


def test_the_answer_follows_the_prompt_as_the_policy_will_write_it(backend: VlmBackend, data: Path) -> None:
    (robot, _), collate = groups(backend, data), SharedImages(backend)
    _, batch = collate([robot])
    for number, sample in enumerate(robot.samples):
        prompt = backend.inputs([robot.image], [sample.prompt])["input_ids"][0]
        first = int(torch.nonzero(batch.samples == number)[0, 0])
        assert int(batch.input_ids[0, batch.columns[first]]) == int(prompt[-1])
        assert int(batch.position_ids[0, batch.columns[first]]) == len(prompt) - 1


def test_where_an_image_token_lies_can_be_read_from_what_the_language_model_gets(
    backend: VlmBackend, make_record: Callable[..., Any]
) -> None:
    """Without it a policy sees what there is, and not where: embeddings of positions drown under features."""
    images = list(make_record(seed=3, frames=24, size=SIZE).images)
    inputs = backend.inputs(images, ["words"] * len(images))
    with torch.no_grad():
        out = base_model(backend.model)(**inputs, use_cache=False, output_hidden_states=True)
    rows, columns = SIZE[0] // 16, SIZE[1] // 16
    seen = out.hidden_states[0][:, 1 : 1 + rows * columns].flatten(0, 1).numpy()
    cells = np.tile(np.stack(np.divmod(np.arange(rows * columns), columns), axis=1), (len(images), 1))
    known, design = len(seen) // 2, np.c_[seen, np.ones(len(seen))]
    solution, *_ = np.linalg.lstsq(design[:known], cells[:known], rcond=1e-4)
    assert np.abs(design[known:] @ solution - cells[known:]).mean() < 0.1


def test_bins_keep_their_meaning_from_rt1_to_rt2() -> None:
    tokens = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0])
    assert rt2_bins(tokens).tolist() == [1, 1, 2, 3, 4, 5, 6, 7]
    assert rt2_bins(np.append(tokens[:-1], 1))[0] == 0


def test_quantile_ranges_hold_the_data_more_finely(data: Path) -> None:
    table = load_robot_data([data], lambda _: None).table
    space = action_space("quantile", table)
    fixed, own = ActionLabels(RT2_TABLETOP), ActionLabels(space)
    tokens = table.tokens[np.arange(len(table)), table.own_task]
    wanted, kept = fixed.values(fixed.bins(tokens)), own.values(own.bins(tokens))
    low, high = (np.array([getattr(d, end) for d in space.dimensions]) for end in ("low", "high"))
    inside = (wanted >= low) & (wanted <= high)
    assert np.abs(wanted - kept)[inside].max() <= ((high - low) / 255).max()
    assert [d.name for d, f in zip(space.dimensions, RT2_TABLETOP.dimensions, strict=True) if d != f] == ["x", "y", "z"]


def test_words_that_were_never_trained_keep_their_meaning(run: Callable[..., int], tmp_path: Path) -> None:
    assert run("--steps", "2", "--rate", "0.1", "--ema", "0") == 0
    backend = load_checkpoint(tmp_path / "run" / "checkpoint").backend
    rows = backend.model.get_input_embeddings().weight
    ids = backend.tokenizer.convert_tokens_to_ids(["grab", "seize", "bowl"])
    near, far = torch.cosine_similarity(rows[ids[0]], rows[ids[1:]], dim=-1)
    assert near > far + 0.2


def test_the_card_says_how_it_was_made(run: Callable[..., int], tmp_path: Path) -> None:
    assert run("--steps", "1", "--robot-share", "1") == 0
    card = json.loads((tmp_path / "run" / "checkpoint" / "card.json").read_text())
    assert card["training"]["data"][0]["episodes"] == 5
    assert card["training"]["robot_share"] == 1.0
    assert card["training"]["commands"][0].startswith("vla train rt2")
