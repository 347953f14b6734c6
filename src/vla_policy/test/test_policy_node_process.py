# SPDX-License-Identifier: Apache-2.0
"""How the policy node starts and ends: other policies, recording, what cannot be used, signals."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from vla_policy.replay.recording import read_recording

pytestmark = pytest.mark.node


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (("policy:=replay", "checkpoint:=/nowhere/x.jsonl"), "/nowhere/x.jsonl cannot be read"),
        (("policy:=replay",), "needs a recording"),
        (("policy:=telepathy",), "policy 'telepathy' is unknown; valid are"),
        (("policy:=replay", "rate:=0.0"), "rate"),
        (("policy:=replay", "rate:=fast"), "rate"),
        (("policy:=replay", "decode:=maybe"), "decode is 'maybe'; valid: auto, greedy, median, sample, beam"),
        (("policy:=replay", "min_legal_mass:=1.5"), "min_legal_mass"),
        (("policy:=replay", "observation_map:=rt9"), "unknown observation map 'rt9'; valid: gr00t"),
        (
            ("policy:=rt1", "robot:=fr3", "observation_map:=openpi_bridge"),
            "front has size [224, 224]; valid for policy rt1",
        ),
        (("policy:=replay", "quantization:=int3"), "valid: none, int8, int4"),
        (("policy:=replay", "workspace_low:=[0.0]"), "workspace_low has 1 numbers; valid: three"),
        (("policy:=replay", "workspace_low:=near"), "valid: a list of numbers"),
        (("policy:=replay", "workspace_low:=[1.0, 1.0, 1.0]", "workspace_high:=[0.0, 2.0, 2.0]"), "low below high"),
    ],
)
def test_what_cannot_be_used_ends_the_node_with_one_clear_line(
    harness: ModuleType, parameters: tuple[str, ...], line: str
) -> None:
    process = harness.start(*parameters)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert line in output
    assert "Traceback" not in output
    assert len(output.strip().splitlines()) == 1, output


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda folder: None, "was trained for robot 'fr3', not for 'wx250s'"),
        (lambda folder: os.truncate(folder / "model.safetensors", 5000), "truncated"),
        (lambda folder: save(folder, dimensions=3), "dimensions"),
    ],
    ids=["other robot", "truncated", "other action space"],
)
def test_a_checkpoint_that_cannot_be_used_ends_the_node_with_one_clear_line(
    harness: ModuleType, tmp_path: Path, spoil: Callable[[Path], object], line: str
) -> None:
    save(tmp_path)
    spoil(tmp_path)
    robot = "wx250s" if "wx250s" in line else "fr3"
    process = harness.start("policy:=rt1", f"checkpoint:={tmp_path}", f"robot:={robot}", "device:=cpu")
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 2, output
    assert line in output
    assert "Traceback" not in output


def save(folder: Path, dimensions: int = 11) -> None:
    """A small checkpoint for the FR3, whose action space says that it has this many dimensions."""
    from vla_policy.action.presets import preset
    from vla_policy.rt1.checkpoint import save_checkpoint
    from vla_policy.rt1.config import named_config
    from vla_policy.rt1.network import RT1Network

    space = preset("rt1").to_dict()
    space["dimensions"] = space["dimensions"][:dimensions]
    save_checkpoint(folder, RT1Network(named_config("lite"), pretrained=False), space, "fr3", {})


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_cleanly(harness: ModuleType, tmp_path: Path, sign: int) -> None:
    harness.write_recording(tmp_path / "a.jsonl", long=1, short=1)
    process = harness.start("policy:=replay", f"checkpoint:={tmp_path / 'a.jsonl'}")
    assert process.stdout is not None
    assert "ready" in process.stdout.readline()
    code, output = harness.end(process, sign)
    assert code == 0, output
    assert "Traceback" not in output


def wait_until_caught(pid: int, number: int) -> None:
    """Until the process handles the signal itself: the earliest moment at which it can end in order."""
    deadline = time.monotonic() + 30.0
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/status").read_text()
        mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        if int(mask, 16) >> (number - 1) & 1:
            return
        time.sleep(0.005)
    raise AssertionError(f"signal {number} is never handled")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("delay", [0.0, 0.3, 0.6, 1.0])
def test_a_signal_while_it_starts_ends_it_cleanly_too(harness: ModuleType, tmp_path: Path, delay: float) -> None:
    harness.write_recording(tmp_path / "a.jsonl", long=1, short=1)
    process = harness.start("policy:=replay", f"checkpoint:={tmp_path / 'a.jsonl'}")
    wait_until_caught(process.pid, signal.SIGTERM)
    time.sleep(delay)
    code, output = harness.end(process, signal.SIGTERM)
    assert code == 0, output
    assert "Traceback" not in output


def test_a_node_that_records_leaves_what_can_be_replayed(harness: ModuleType, tmp_path: Path) -> None:
    source, target = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    harness.write_recording(source, long=1, short=3)
    with harness.around("policy:=replay", f"checkpoint:={source}", f"record:={target}") as robot:
        robot.reaches(harness.STATUS.STATE_DONE, robot.tell("short"))
    (episode,) = read_recording(target)
    assert episode.instruction == "short"
    assert [chunk.terminate for chunk in episode.chunks] == [False] * 3 + [True] * 2


def test_a_policy_that_uses_the_scene_waits_for_it(harness: ModuleType) -> None:
    pytest.importorskip("vla_sim")
    with harness.around("policy:=expert", "robot:=fr3") as robot:
        task = robot.tell("pick up the red block")
        assert robot.spin(30.0, lambda: "no_scene" in robot.statuses[-1].reason)
        robot.show_scene("red block", (0.5, 0.1, 0.02))
        robot.reaches(harness.STATUS.STATE_RUNNING, task)
        first = robot.chunks[0].steps[0].translation
        assert max(abs(first.x), abs(first.y), abs(first.z)) > 0.01
        robot.hide_scene()
        count = robot.spin(30.0, lambda: "stale_scene" in robot.statuses[-1].reason) and len(robot.chunks)
        assert count
        robot.spin(0.5)
        assert len(robot.chunks) == count  # no action on a frozen world


def test_before_the_first_picture_and_after_the_time_is_up_there_is_an_answer(
    harness: ModuleType, tmp_path: Path
) -> None:
    environment = harness.install_talking_policy(tmp_path)
    with harness.around("policy:=talking", "ask_timeout:=0.5", environment=environment, seeing=False) as robot:
        reply = robot.ask("which size?")
        assert (reply.success, reply.message) == (False, "no observation received yet")
        robot.seeing = True
        robot.spin(0.5)
        begun = time.monotonic()
        reply = robot.ask("slow one")
        assert (reply.success, reply.message) == (False, "no answer within 0.5 s")
        assert time.monotonic() - begun < 1.4
        robot.spin(1.5)
        assert robot.ask("which size?").answer == "10 x 8"
