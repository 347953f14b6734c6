# SPDX-License-Identifier: Apache-2.0
"""`vla bench remote`: its load generator against a real server, and how parts share one file."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from vla_core.observation_map.presets import load_map
from vla_core.robot import load_robot_config
from vla_policy.serve.testing import CountingPolicy, serving_policy
from vla_training.bench.remote import command, fleet
from vla_training.bench.remote.robots import drive, message


def test_robots_get_a_chunk_for_every_observation() -> None:
    observation_map = load_map("rt1").for_robot(load_robot_config("fr3"))
    messages = [message(observation_map, seed) for seed in range(3)]
    with serving_policy(CountingPolicy(), observation_map) as port:
        driven = drive(f"ws://127.0.0.1:{port}", messages, seconds=1.0, rate=10.0)
    assert driven.failed == 0
    assert len(driven.ages) + driven.dropped == 30
    assert all(age > 0.0 for age in driven.ages)


def test_replies_that_are_errors_are_counted() -> None:
    observation_map = load_map("rt1").for_robot(load_robot_config("fr3"))
    with serving_policy(CountingPolicy(), observation_map) as port:
        driven = drive(f"ws://127.0.0.1:{port}", [b"no msgpack"], seconds=0.5, rate=10.0)
    assert driven.failed == len(driven.ages) > 0


def test_a_part_keeps_what_others_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {f"{way}_{key}": 1.0 for way in fleet.WAYS for key in ("age_p50_ms", "age_p99_ms", "used", "failed")}
    parts: dict[str, Any] = {
        "fleet": SimpleNamespace(measure=lambda arguments: {"fleet": {"1": row, "2": row}}, draw=fleet.draw),
    }
    monkeypatch.setattr(command, "load", parts.__getitem__)
    monkeypatch.setattr(command, "PARTS", {"fleet": ("fleet",)})
    out = tmp_path / "remote.json"
    out.write_text('{"faults": {"runs": 3}}')
    assert command.main(["--parts", "fleet", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["faults"] == {"runs": 3}
    assert found["fleet"]["2"]["batched_age_p99_ms"] == 1.0
    assert out.with_suffix(".png").stat().st_size > 1000
