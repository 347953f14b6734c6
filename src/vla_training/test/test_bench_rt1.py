# SPDX-License-Identifier: Apache-2.0
"""The RT-1 benchmark: ratios mean what they say, and its ways compute the same action."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from vla_policy.rt1.config import named_config
from vla_training.bench.rt1 import OURS, Bench, main, time_in_turns


def test_ratio_is_against_reuse_with_one_pass() -> None:
    timings = time_in_turns({OURS: lambda: time.sleep(0.002), "slow": lambda: time.sleep(0.02)}, rounds=3)
    assert timings[OURS].ratio == 1.0
    assert timings["slow"].ratio > 1.5


def test_every_way_gives_the_same_bins() -> None:
    torch.manual_seed(0)
    ways = Bench(named_config("lite", history=3, layers=2)).ways()
    with torch.inference_mode():
        wanted = ways[OURS]().tolist()
        assert ways["reencode_all_frames"]().tolist() == wanted
        assert ways["reencode_and_autoregressive"]() == wanted


def test_command_writes_json(tmp_path: Path) -> None:
    assert main(["--config", "lite", "--rounds", "1", "--out", str(tmp_path / "rt1.json")]) == 0
    networks = json.loads((tmp_path / "rt1.json").read_text())["networks"]
    assert networks["lite"]["timings"][OURS]["ratio"] == 1.0
