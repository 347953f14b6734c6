# SPDX-License-Identifier: Apache-2.0
"""`vla train rt2` on recorded actions of a foreign data set, and the checkpoint that acts afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from vla_core.action import ActionMode
from vla_policy.errors import ConfigurationError
from vla_policy.loading import load_policy, policy_settings
from vla_policy.policy import Observation, PolicyConfig
from vla_policy.registry import create
from vla_training.cli import main
from vla_training.data.recorded import testing as sets
from vla_training.run.run_log import TRAIN_LOG, VALIDATION_LOG, read

QUICK = ["--images", "3", "--threads", "1", "--report-every", "2", "--validate-every", "50"]
FR3_WORDS = ["--action", "joint_position", "--unit", "rad", "--gripper", "open_1"]


def test_the_loss_falls_and_the_checkpoint_acts_in_the_range_of_its_data(tmp_path: Path) -> None:
    data = sets.write_v30(tmp_path / "set", sets.FR3_ROBOT)
    words = ["--data", str(data), "--out", str(tmp_path / "run"), *QUICK, *FR3_WORDS]
    assert main(["train", "rt2", *words, "--steps", "8"]) == 0
    losses = [row["action"] for row in read(tmp_path / "run" / TRAIN_LOG)]
    assert losses[-1] < losses[0]
    figures = read(tmp_path / "run" / VALIDATION_LOG)[-1]
    assert 0.0 <= figures["error"] <= 1.0
    checkpoint = tmp_path / "run/checkpoint"
    info = json.loads((checkpoint / "rt2.json").read_text())
    assert info["prompt"]["state"]["names"] == [f"state/{name}" for name in sets.FR3_ROBOT.columns]
    policy = load_policy(policy_settings("rt2", "fr3", checkpoint=str(checkpoint), threads=1, device="cpu"))
    policy.reset("pick up the cube")
    images = {"front": np.full((128, 160, 3), 20, np.uint8)}
    joints = sets.positions(sets.FR3_ROBOT, 0, 2)[0, :-1].astype(np.float64)
    seen = Observation(0.0, images, sets.FR3, joints, np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), 0.08)
    chunk = policy.infer(seen)
    assert chunk.mode == ActionMode.JOINT_POSITION
    ranges = info["action_space"]["dimensions"]
    values = [*chunk.steps[0].joints.tolist(), chunk.steps[0].gripper]
    assert all(d["low"] - 1e-9 <= v <= d["high"] + 1e-9 for d, v in zip(ranges, values, strict=True))
    policy.close()


def test_plain_numbers_without_a_state_are_trained_and_then_need_a_map(tmp_path: Path) -> None:
    data = sets.write_v30(tmp_path / "set", sets.SO100_ROBOT, lengths=(20, 20), state=False)
    words = ["--data", str(data), "--out", str(tmp_path / "run"), *QUICK, "--steps", "1", "--labels", "recorded"]
    assert main(["train", "rt2", *words]) == 0
    checkpoint = str(tmp_path / "run/checkpoint")
    with pytest.raises(ConfigurationError, match="plain numbers"):
        create("rt2", PolicyConfig(checkpoint=checkpoint, robot="so100_follower"))
