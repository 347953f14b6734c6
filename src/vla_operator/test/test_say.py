# SPDX-License-Identifier: Apache-2.0
"""`vla say` against the real instruction_node, over DDS; and its reading of arguments."""

import subprocess
import sys

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from vla_operator.ros.say import read_arguments

COMMAND = [sys.executable, "-m", "vla_operator.ros.say"]


@pytest.fixture(scope="module")
def intake(start_node):
    process = start_node("vla_operator.instruction_node")
    process.wait_for("listening")
    return process


def say(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["stop"], "stop"),
        (["-stop"], "-stop"),
        (["-halt"], "-halt"),
        (["--stop"], "--stop"),
        (["-t", "stop"], "-t stop"),
        (["--", "stop"], "stop"),
        (["pick", "up the", "--timeout", "2", "block"], "pick up the block"),
        (["--timeout=2", "--first", "-x"], "-x"),
    ],
)
def test_whatever_is_no_option_is_text(words, text):
    said, options = read_arguments(words)
    assert said == text
    assert options.timeout in (2.0, 5.0)
    assert options.first is ("--first" in words)


@pytest.mark.parametrize("words", [[], ["--first"], ["--timeout", "soon", "stop"]])
def test_wrong_arguments_end_with_status_2(words):
    with pytest.raises(SystemExit) as caught:
        read_arguments(words)
    assert caught.value.code == 2


@pytest.mark.node
@pytest.mark.usefixtures("intake")
def test_the_graph_tells_what_it_took():
    done = say("pick", "up the red block", "--timeout", "40")
    assert (done.returncode, done.stdout) == (0, "task: pick up the red block\n"), done.stderr
    for words in ("stop", "-stop", "no, stop!"):
        done = say(words, "--timeout", "40")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"stop: {words}"), done.stdout


def test_a_refused_sentence_is_an_error_with_the_reason():
    done = say("", "--timeout", "20")
    assert done.returncode == 1
    assert "empty instruction" in done.stderr


@pytest.mark.node
@pytest.mark.usefixtures("intake")
def test_a_first_instruction_is_out_of_date_once_somebody_has_spoken():
    say("stop", "--timeout", "40")
    done = say("--first", "pick up the bowl")
    assert done.returncode == 0
    assert done.stdout.startswith("not given: an operator has spoken meanwhile: 'stop'")


@pytest.mark.node
def test_without_a_graph_it_says_so(monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "101")
    done = say("pick", "--timeout", "0.5")
    assert done.returncode == 1
    assert "nobody listens on /vla/text_command" in done.stderr
