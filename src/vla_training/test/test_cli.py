# SPDX-License-Identifier: Apache-2.0
"""The command line: what it refuses, how it stops, and that help costs no imports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from vla_training.cli import COMMANDS, main
from vla_training.data import command as make_data

HEAVY = ("torch", "mujoco", "cv2", "matplotlib", "pyarrow", "transformers")
LIGHT = ("", "train", "data --help", "train rt1 --help", "plot --help", "card --help")


@pytest.mark.parametrize("words", LIGHT)
def test_help_imports_nothing_heavy(words):
    code = f"""
import sys
from vla_training.cli import main
try:
    status = main({words.split()!r})
except SystemExit as end:
    status = end.code
assert status == 0, status
sys.exit(", ".join(set({HEAVY!r}) & set(sys.modules)) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as end:
        COMMANDS[name].load().main(["--help"])
    assert end.value.code == 0
    assert f"usage: vla {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "fly",
            "valid: data, data convert, data check, data info, data view, data merge, data split, replay, train rt1",
        ),
        ("train rt3", "valid: rt1, rt2"),
        ("data", "--out"),
        ("data --out {tmp} --robot pr2", "valid: fr3, wx250s"),
        ("data --out {tmp} --families pick fetch", "'fetch'; valid: pick, place, near, push"),
        ("data --out {tmp} --episodes 0", "at least 1"),
        ("data --out {tmp} --episodes many", "'many'"),
        ("train rt1 --data {tmp}/none --out {tmp}/run", "no data set at"),
        ("train rt1 --data {tmp} --out {tmp}/run --config b4", "lite"),
        ("train rt1 --data {tmp} --out {tmp}/run --device tpu", "valid here: auto, cpu"),
        ("train rt1 --data {tmp} --out {tmp}/run --resume --fresh", "not allowed with"),
        ("eval --policy rt3 --out {tmp}/f.json", "valid are"),
        ("eval --robot pr2 --out {tmp}/f.json", "valid: fr3, wx250s"),
        ("eval --checkpoint {tmp}/none --out {tmp}/f.json", "no RT-1 checkpoint"),
        ("eval --checkpoint {tmp}/none --workers 2 --out {tmp}/f.json", "no RT-1 checkpoint"),
        ("eval --policy expert --instructions {tmp}/none.yaml --out {tmp}/f.json", "none.yaml"),
        ("dagger --checkpoint {tmp}/none --out {tmp}/d", "no RT-1 checkpoint"),
        ("dagger --policy rt2 --checkpoint {tmp}/none --out {tmp}/d", "{tmp}/none"),
        ("dagger --policy rt3 --checkpoint x --out {tmp}/d", "valid are"),
        ("dagger --checkpoint x --out {tmp}/d --learner-share 2", "0 to 1"),
        ("train rt2 --data {tmp}/none --out {tmp}/run", "no data set at"),
        ("train rt2 --data {tmp} --out {tmp}/run --robot-share 2", "0 to 1"),
        ("eval questions --policy rt1 --checkpoint {tmp}/none --out {tmp}/f.json", "no RT-1 checkpoint"),
        ("plot {tmp}", "holds no metrics"),
        ("card --checkpoint {tmp}", "no checkpoint at"),
        ("bench rt1 --config b4", "b4"),
    ],
)
def test_refusals_are_one_line_that_says_what_is_valid(words, message, tmp_path, capsys):
    try:
        status = main(words.format(tmp=tmp_path).split())
    except SystemExit as end:
        status = end.code
    said = capsys.readouterr().err
    assert status == 2
    assert message.format(tmp=tmp_path) in said
    assert said.count("\n") == 1
    assert not (tmp_path / "f.json").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_command_quietly(monkeypatch, capsys, number, status):
    before = signal.getsignal(number)
    monkeypatch.setattr(make_data, "main", lambda argv: os.kill(os.getpid(), number))
    assert main(["data"]) == status
    assert "continues from here" in capsys.readouterr().err
    assert signal.getsignal(number) == before


def test_data_command_makes_what_is_missing(tmp_path, capsys):
    words = ["data", "--out", str(tmp_path), "--workers", "1", "--families", "pick", "--image-size", "32", "40"]
    assert main([*words, "--episodes", "1"]) == 0
    assert main([*words, "--episodes", "2"]) == 0
    assert main([*words, "--episodes", "2"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    info = json.loads((tmp_path / "meta/info.json").read_text())
    assert info["total_episodes"] == 2
    assert main([*words[:-2], "64", "80", "--episodes", "3"]) == 2
    assert "64 x 80" in capsys.readouterr().err


def test_eval_command_reports_every_family_and_episode(tmp_path):
    out = tmp_path / "f.json"
    assert main(["eval", "--policy", "expert", "--episodes", "2", "--families", "pick", "push", "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    assert report["success_rate"] == 1.0
    assert {family: row["episodes"] for family, row in report["per_family"].items()} == {"pick": 1, "push": 1}
    assert [episode["index"] for episode in report["episodes"]] == [0, 1]
    assert all(episode["instruction"] for episode in report["episodes"])
    words = ["eval", "--policy", "expert", "--episodes", "2", "--families", "pick", "push"]
    assert main([*words, "--workers", "2", "--out", str(tmp_path / "again.json")]) == 0
    assert json.loads((tmp_path / "again.json").read_text())["episodes"] == report["episodes"]
