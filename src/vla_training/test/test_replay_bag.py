# SPDX-License-Identifier: Apache-2.0
"""A recorded episode as chunks for policy:=replay."""

from pathlib import Path

import numpy as np
import pytest
from vla_core.action import ActionMode
from vla_policy.replay.recording import read_recording
from vla_training.cli import main
from vla_training.data.bags import testing as bags


@pytest.mark.parametrize("speed", [1.0, 0.5, 0.3])
def test_what_was_commanded_is_played_at_the_speed_asked_for(tmp_path: Path, capsys, speed: float) -> None:
    bag, out = bags.write_bag(tmp_path / "a"), tmp_path / "chunks.jsonl"
    assert main(["replay", str(bag), "--speed", str(speed), "--out", str(out), "sim:=none"]) == 0
    words = capsys.readouterr().out.split("\n")
    assert words[0] == "policy:=replay"
    assert {f"replay_file:={out}", "instruction:=push the block", "robot:=fr3", "sim:=none"} <= set(words)
    (episode,) = read_recording(out)
    assert len(episode.chunks) == pytest.approx(2.0 / speed / 0.2, abs=1)
    for k, chunk in enumerate(episode.chunks):
        assert (chunk.mode, chunk.period, chunk.joint_names) == (ActionMode.JOINT_POSITION, 0.2, bags.JOINTS)
        for ahead, step in enumerate(chunk.steps, k + 1):  # every step where the arm was told to be at that moment
            np.testing.assert_allclose(step.joints, [bags.position(0.2 * speed * ahead)] * 7, atol=1e-9)


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--speed", "0"], "above 0 to 1"), (["--speed", "2"], "above 0 to 1"), (["sim"], "no NAME:=VALUE")],
)
def test_what_cannot_be_played_is_refused(tmp_path: Path, capsys, words: list[str], said: str) -> None:
    assert main(["replay", str(bags.write_bag(tmp_path / "a")), *words]) == 2
    assert said in capsys.readouterr().err
    assert main(["replay", str(tmp_path / "none")]) == 2
    assert "no bag at" in capsys.readouterr().err
