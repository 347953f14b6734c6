# SPDX-License-Identifier: Apache-2.0
"""A small share of `vla bench faults`: the running graph keeps what it promises in one fault of each sort."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytestmark = pytest.mark.system
FAULTS = ("joint_states wrong:nan", "chunks off", "operator estop, state disk full", "instruction wrong:unknown_kind")
PATIENCE_S = 240.0


def test_promises_are_kept_in_the_running_graph(tmp_path: Path) -> None:
    out = tmp_path / "faults.json"
    words = ["--policy", "expert", "--out", str(out), "--faults", *FAULTS]
    done = subprocess.run(
        [sys.executable, "-m", "vla_demo.bench_faults", *words], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert out.is_file(), done.stdout + done.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    assert {run["case"] for run in found["all_runs"]} == set(FAULTS)
    late = [
        text for text in found["violations"] if "in motion" in text
    ]  # how long it takes is measured on a quiet machine
    assert found["violations"] == late
    assert found["longest_to_rest_s"] < 1.5
    assert done.returncode == (1 if late else 0)
