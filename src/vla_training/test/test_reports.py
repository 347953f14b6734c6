# SPDX-License-Identifier: Apache-2.0
"""What a run leaves for people: progress line, metrics, learning curve, model card."""

from __future__ import annotations

import io
import json

import pytest
from vla_policy.rt1.config import named_config
from vla_training.rt1.card import add_measured, write_training
from vla_training.run import run_log
from vla_training.run.errors import TrainingError
from vla_training.run.learning_curve import PICTURE, draw
from vla_training.run.progress import Progress

FACTS = {
    "commands": ["vla train rt1 --data d --out r"],
    "data": [{"folder": "d", "episodes": 3, "frames": 90}],
    "seed": 4,
    "batch": 8,
    "steps": 70,
    "validation": {"step": 70.0, "swap": 0.93},
}
REPORT = {
    "policy": "rt1",
    "robot": "fr3",
    "seed": 7,
    "success_rate": 0.5,
    "interval_95": [0.1, 0.9],
    "per_family": {"pick": {"success_rate": 1.0, "episodes": 1, "interval_95": [0.2, 1.0]}},
    "episodes": [{}, {}],
}


@pytest.fixture
def checkpoint(tmp_path):
    config = {"format": "vla-rt1-1", "network": named_config("lite").to_json(), "robot": "fr3"}
    (tmp_path / "config.json").write_text(json.dumps(config | {"action_space": {}, "control": {"steps": 70}}))
    return tmp_path


def test_progress_line_counts_rate_and_families():
    now = [0.0]
    stream = io.StringIO()
    progress = Progress(10, [("pick", True)] * 4, stream, lambda: now[0])
    for success in (True, False):
        now[0] += 6.0
        progress.add("push", success)
    line = progress.line()
    assert line.startswith("6/10 episodes  0.17/s")
    assert "pick 100 %, push 50 %" in line
    assert stream.getvalue().count("\n") == 1  # not a terminal: every ten seconds


def test_log_forgets_what_will_be_done_again_and_survives_a_cut_line(tmp_path):
    path = tmp_path / "train.csv"
    for step in (5, 10, 15):
        run_log.append(path, {"step": step, "loss": step / 10})
    with path.open("a") as file:
        file.write("2")
    run_log.drop_after(path, 10)
    run_log.append(path, {"step": 12, "loss": 3})
    assert [row["step"] for row in run_log.read(path)] == [5, 10, 12]


def test_learning_curve_is_a_picture(tmp_path):
    run_log.append(tmp_path / run_log.TRAIN_LOG, {"step": 50, "loss": 2, "goal_mm": 30})
    assert draw(tmp_path) == tmp_path / PICTURE
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")


def test_card_tells_training_and_measured_success(checkpoint):
    write_training(checkpoint, FACTS)
    add_measured(checkpoint, REPORT)
    add_measured(checkpoint, REPORT)  # the same measurement again replaces the earlier one
    text = (checkpoint / "README.md").read_text()
    assert text.count("50 % (10 to 90 %)") == 1
    for wanted in (*FACTS["commands"], "d: 3 episodes, 90 frames", "seed 4", "| 0.93 |"):
        assert wanted in text


def test_figures_of_other_weights_are_dropped(checkpoint):
    write_training(checkpoint, FACTS)
    add_measured(checkpoint, REPORT)
    write_training(checkpoint, {**FACTS, "steps": 80})
    assert "Not measured yet" in (checkpoint / "README.md").read_text()


def test_card_of_a_checkpoint_whose_training_is_not_written_down(checkpoint):
    text = add_measured(checkpoint, REPORT).read_text()
    assert "70 steps" in text
    assert "50 %" in text


def test_card_refuses_another_file(checkpoint):
    with pytest.raises(TrainingError, match="interval_95"):
        add_measured(checkpoint, {"success_rate": 1.0, "episodes": []})
