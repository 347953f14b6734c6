# SPDX-License-Identifier: Apache-2.0
"""The RT-2 benchmark: what it counts is what it says, and its ways make the same action."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from vla_policy.action.presets import OPENVLA, RT2_TABLETOP
from vla_policy.errors import CheckpointError, ConfigurationError
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.model.checkpoint import RT2Checkpoint, RT2Info
from vla_policy.rt2.prompt import prompt
from vla_policy.rt2.vocabulary import Strategy, build_vocabulary
from vla_training.bench.rt2 import legality
from vla_training.bench.rt2.command import main
from vla_training.bench.rt2.drive import Drive, guessing, record
from vla_training.bench.rt2.picture import draw
from vla_training.bench.rt2.shapes import SHAPES, Subject, build, check_room
from vla_training.bench.rt2.speed import OURS, ways
from vla_training.rt2.base.small_vlm import build_small_vlm


@pytest.fixture(scope="module")
def tiny() -> Subject:
    return build("tiny")


def test_only_the_constraint_makes_every_answer_an_action() -> None:
    found = legality.measure(100)
    assert found["decodes"] == 100
    for mode in ("greedy", "sample"):
        assert found[mode]["constrained"]["legal_strings"] == 1.0
        assert found[mode]["constrained"]["clipped"] is None
        assert found[mode]["unconstrained"]["legal_strings"] < 0.1
        strays = found[mode]["unconstrained"]["clipped"]
        assert strays["at_ends"] > 0.9  # nearly all text lies below the action tokens, and is clipped to the last bin
        assert sum(strays["histogram"]) == pytest.approx(1.0)
    assert found["uniform"]["mean_size"] == pytest.approx(0.5, abs=0.01)


def test_strings_and_tokens_are_counted_apart() -> None:
    known = np.arange(1000, 1000 - OPENVLA.bins, -1)
    ids = np.array([known[:7], [*known[:6], 3], [5] * 7])
    found = legality._judge(ids, known)
    assert found["legal_strings"] == pytest.approx(1 / 3)
    assert found["legal_tokens"] == pytest.approx(13 / 21)
    assert found["clipped"]["at_ends"] == pytest.approx((8 + 1) / 14)  # 8 stray tokens, and bin 0


def test_ways_of_one_model_say_the_same(tiny: Subject) -> None:
    found = ways(tiny, tiny.inputs, "cpu")
    start = tiny.inputs(0)["input_ids"].shape[1]
    for _ in range(2):
        ours = found[OURS]().tokens
        assert np.array_equal(found["constrained_mass_none"]().tokens, ours)
        masked = found["generate_with_the_mask"]()[0, start:]
        assert np.array_equal(tiny.vocabulary.decode(masked.numpy()), ours)


def test_a_model_too_large_is_told_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match=r"needs 17\.0 GiB.*8\.0 GiB free\. Valid"):
        check_room("7b", 7_000_000_000, torch.bfloat16, 8 * 1024**3, "cuda")
    monkeypatch.setattr("vla_training.bench.rt2.shapes.available_bytes", lambda device: 1024**3)
    with pytest.raises(CheckpointError, match="paligemma3b has 2"):
        build("paligemma3b")


@pytest.fixture(scope="module")
def drive() -> Drive:
    """Four observations of an untrained small model that acts."""
    torch.manual_seed(0)
    template = prompt("rt2_state")
    model, processor = build_small_vlm([template.action, template.question, "push the blue block"], (32, 48), 64, 2, 2)
    vocabulary = build_vocabulary(Strategy.INTEGERS, processor.tokenizer)
    info = RT2Info(RT2_TABLETOP, vocabulary, template, "fr3", {"period_s": 0.2, "image_size": [32, 48]})
    return record(RT2Checkpoint(VlmBackend(model.eval(), processor), info), "fr3", 4)


def test_a_drive_is_what_the_model_sees_while_it_acts(drive: Drive) -> None:
    stamps = [observation.stamp for observation in drive.observations]
    assert np.diff(stamps) == pytest.approx([0.2] * 3)
    assert all(observation.image.shape == (32, 48, 3) for observation in drive.observations)
    first, last = drive.observations[0], drive.observations[-1]
    assert not np.array_equal(first.image, last.image)
    assert abs(first.gripper_width - last.gripper_width) > 1e-3 or not np.allclose(first.ee_position, last.ee_position)


def test_guessing_on_a_drive_changes_no_action(drive: Drive) -> None:
    found = guessing(drive)
    assert found["actions"] == 4
    assert found["same_actions"] == 1.0
    assert 2.0 <= found["passes_mean"] <= found["passes_without"] == len(RT2_TABLETOP.sizes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no GPU"):
        main(["--device", "cuda", "--out", str(tmp_path / "rt2.json")])
    assert not list(tmp_path.iterdir())


def test_command_writes_numbers_and_picture(tmp_path: Path) -> None:
    out = tmp_path / "bench" / "rt2.json"
    assert main(["--decodes", "50", "--shape", "tiny", "--rounds", "1", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["speed"]["tiny"]["picture_first"][OURS]["ratio"] == 1.0
    assert found["speed"]["tiny"]["vocabulary"] == SHAPES["tiny"].vocabulary
    assert found["rt1"]["tiny"]["timings"]["rt1_one_pass"]["ratio"] == 1.0
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_has_a_part_for_what_was_measured(tmp_path: Path) -> None:
    spent = {
        "tiny": {"parameters": 1000, "picture_first": {"constrained": {"p50_ms": 2.0}, "generate": {"p50_ms": 3.0}}}
    }
    for speed in ({}, spent):
        draw(tmp_path / "a.png", {"legality": {}, "speed": speed})
        assert cv2.imread(str(tmp_path / "a.png")).shape[1] == 550  # one part, not three of which two are empty
