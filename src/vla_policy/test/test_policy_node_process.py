# SPDX-License-Identifier: Apache-2.0
"""How the policy node starts and ends: other policies, recording, what cannot be used, signals."""

import signal
from pathlib import Path
from types import ModuleType

import pytest
from vla_policy.recording import read_recording

pytestmark = pytest.mark.node


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (("policy:=replay", "checkpoint:=/nowhere/x.jsonl"), "/nowhere/x.jsonl cannot be read"),
        (("policy:=replay",), "needs a recording"),
        (("policy:=telepathy",), "policy 'telepathy' is unknown; valid are"),
        (("policy:=replay", "rate:=0.0"), "rate"),
        (("policy:=replay", "rate:=fast"), "rate"),
    ],
)
def test_what_cannot_be_used_ends_the_node_with_one_clear_line(
    harness: ModuleType, parameters: tuple[str, ...], line: str
) -> None:
    process = harness.start(*parameters)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 2, output
    assert line in output
    assert "Traceback" not in output
    assert len(output.strip().splitlines()) == 1, output


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_cleanly(harness: ModuleType, tmp_path: Path, sign: int) -> None:
    harness.write_recording(tmp_path / "a.jsonl", long=1, short=1)
    process = harness.start("policy:=replay", f"checkpoint:={tmp_path / 'a.jsonl'}")
    assert process.stdout is not None
    assert "ready" in process.stdout.readline()
    code, output = harness.end(process, sign)
    assert code == 0, output
    assert "Traceback" not in output


def test_a_node_that_records_leaves_what_can_be_replayed(harness: ModuleType, tmp_path: Path) -> None:
    source, target = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    harness.write_recording(source, long=1, short=3)
    with harness.around("policy:=replay", f"checkpoint:={source}", f"record:={target}") as robot:
        robot.reaches(harness.STATUS.STATE_DONE, robot.tell("short"), 15.0)
    (episode,) = read_recording(target)
    assert episode.instruction == "short"
    assert [chunk.terminate for chunk in episode.chunks] == [False] * 3 + [True] * 2


def test_a_policy_that_uses_the_scene_waits_for_it(harness: ModuleType) -> None:
    pytest.importorskip("vla_sim")
    with harness.around("policy:=expert", "robot:=fr3") as robot:
        task = robot.tell("pick up the red block")
        assert robot.spin(5.0, lambda: "needs the simulator's scene" in robot.statuses[-1].reason)
        robot.show_scene("red block", (0.5, 0.1, 0.02))
        robot.reaches(harness.STATUS.STATE_RUNNING, task)
        first = robot.chunks[0].steps[0].translation
        assert max(abs(first.x), abs(first.y), abs(first.z)) > 0.01
