# SPDX-License-Identifier: Apache-2.0
"""The whole command against a stand-in for the graph that speaks real DDS: outputs, exit codes, clean ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.node
STANDIN = Path(__file__).with_name("standin_graph.py")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose vla_up is the stand-in."""
    folder = tmp_path / "prefix" / "lib" / "vla_bringup"
    folder.mkdir(parents=True)
    launcher = folder / "vla_up"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STANDIN}" "$@"\n')
    launcher.chmod(0o755)
    prefixes = os.pathsep.join([str(tmp_path / "prefix"), os.environ.get("AMENT_PREFIX_PATH", "")])
    return {**os.environ, "AMENT_PREFIX_PATH": prefixes}


def command(function: str, *arguments: str) -> list[str]:
    return [
        sys.executable,
        "-c",
        f"import sys; from vla_demo.cli import {function}; sys.exit({function}())",
        *arguments,
    ]


def run(
    environment: dict[str, str], behaviour: str, function: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(function, *arguments),
        env={**environment, "STANDIN": behaviour},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_good_run_leaves_all_files_and_exit_status_0(environment: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "demo"
    done = run(environment, "good", "main", "--out", str(out), "--seed", "2", "--checkpoint", "some")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "watch and stop it in a browser: http://127.0.0.1:8600/" in done.stdout
    assert "console:=true" in (out / "graph.log").read_text()
    files = {"video.mp4", "timeline.png", "summary.json", "recording.npz", "graph.log"}
    assert {path.name for path in out.iterdir()} == files
    figures = json.loads((out / "summary.json").read_text())
    assert [episode["success"] for episode in figures["episodes"]] == [True] * 5
    assert [episode["family"] for episode in figures["episodes"][:4]] == ["pick", "place", "near", "push"]
    changed = figures["episodes"][4]
    assert changed["replaced"]
    assert changed["instruction"] != changed["replaced"]
    assert all(0.4 < episode["seconds"] < 15 for episode in figures["episodes"])
    assert figures["policy_hz"] == pytest.approx(5, abs=2.5)
    assert figures["controller_hz"] == pytest.approx(20)
    assert figures["real_time_factor"] == pytest.approx(0.98)
    for stage in ("starting the graph:", "simulator: ready", "observations: ready", "policy: ready"):
        assert stage in done.stdout
    log = (out / "graph.log").read_text()
    assert log.count("going home") == 6  # before the first instruction and after each
    assert all(word in log for word in ("robot:=fr3", "sim:=mujoco", "policy:=rt1", "checkpoint:=some"))
    assert all(name in done.stdout for name in ("video.mp4", "timeline.png", "summary.json", "graph.log"))


def test_a_failing_robot_gives_exit_status_1_and_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "demo"
    done = run(environment, "bad", "main", "--out", str(out), "--timeout", "0.5", "--no-video")
    assert done.returncode == 1
    assert "only 0 of 5" in done.stdout
    assert json.loads((out / "summary.json").read_text())["success_rate"] == 0
    assert not (out / "video.mp4").exists()


def test_a_refused_table_is_a_failed_episode_with_the_reason(environment: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "e.json"
    done = run(environment, "picky", "graph_eval", "--out", str(out), "--episodes", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(out.read_text())
    assert figures["success_rate"] == 0.75
    assert figures["per_family"]["push"]["success_rate"] == 0
    assert "nothing can be pushed" in figures["episodes"][3]["note"]


def test_what_is_missing_is_named_when_the_graph_does_not_come_up(environment: dict[str, str], tmp_path: Path) -> None:
    done = run(environment, "deaf", "main", "--out", str(tmp_path), "--start-timeout", "10")
    assert done.returncode == 1
    assert "not ready after 10 s" in done.stderr
    assert "/vla/controller_status" in done.stderr
    assert "/sim/set_task" not in done.stderr


def test_a_graph_that_ends_early_is_reported_with_its_log(environment: dict[str, str], tmp_path: Path) -> None:
    done = run(environment, "short", "main", "--out", str(tmp_path))
    assert done.returncode == 1
    assert "the graph ended with exit status 3" in done.stderr
    assert "stand-in graph" in done.stderr


def test_wrong_arguments_start_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    done = run(environment, "good", "main", "--out", str(tmp_path / "d"), "--episodes", str(tmp_path / "none.json"))
    assert done.returncode == 2
    assert "none.json" in done.stderr
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "graph.log"
    process = subprocess.Popen(
        command("main", "--out", str(tmp_path)), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not (log.exists() and log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 130
    assert b"interrupted" in errors
    assert b"Traceback" not in errors
    assert not children_with(str(STANDIN), str(tmp_path))


def children_with(program: str, folder: str) -> list[str]:
    """Processes whose command line has `program` and whose environment has `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if program.encode() in line and folder.encode() in environment:
            found.append(entry.name)
    return found
