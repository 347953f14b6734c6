# SPDX-License-Identifier: Apache-2.0
"""Which utterances are tasks, which are stops, which are refused."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_operator.commands import MAX_CHARACTERS, CommandKind, normalise, parse_command
from vla_operator.errors import CommandError
from vla_operator.halting import BUILT_IN

STOPS = [
    "stop", "halt", "freeze", "cancel", "abort", "e-stop", "stop now", "please stop", "stop the robot",
    "Stop!", "STOP", " stop. ", "E-Stop", "e stop", "Stop, please.", "stop stop stop", "ｓｔｏｐ", "sto\u200bp",
    "stop\ufffd",    "emergency stop!", "halt the arm", "cancel everything now", "\udcffstop",
]  # fmt: skip
TASKS = [
    "stop sign next to the bowl", "pick up the red block", "push the stop button", "put the block in the freezer",
    "don't stop", "the robot", "please", "unstoppable", "抓住红色方块", "🤖 dance",
]  # fmt: skip


@pytest.mark.parametrize("text", STOPS)
def test_stops(text: str) -> None:
    command = parse_command(text)
    assert command.kind is CommandKind.STOP
    command.text.encode("utf-8")


@pytest.mark.parametrize("text", TASKS)
def test_tasks(text: str) -> None:
    assert parse_command(text).kind is CommandKind.TASK


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \t\n", "empty"),
        ("\x00\x07\u200b", "empty"),
        ("x" * (MAX_CHARACTERS + 1), "too long: received 513"),
        ("pick " * 2048, "too long: received 10240"),
        ("pick up the \ufffd block", "not clean UTF-8: U\\+FFFD at character 12"),
        ("pick \udc80 up", "not clean UTF-8: U\\+DC80"),
    ],
)
def test_refusals_say_what_was_received(text: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        parse_command(text)


@given(st.text(max_size=700))
def test_anything_is_normal_or_refused(text: str) -> None:
    try:
        command = parse_command(text)
    except CommandError:
        return
    assert 0 < len(command.text) <= MAX_CHARACTERS or command.kind is CommandKind.STOP
    assert command.text == " ".join(command.text.split())
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in command.text)
    assert command.text.encode("utf-8").decode("utf-8") == command.text


@given(st.text(max_size=100))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)


@given(st.sampled_from(STOPS), st.text(alphabet=" \t\n.!?,-", max_size=5), st.text(alphabet=" \t\n.!?,", max_size=5))
def test_stop_survives_case_and_punctuation(text: str, before: str, after: str) -> None:
    for variant in (text, text.upper(), text.title()):
        assert parse_command(before + variant + after).kind is CommandKind.STOP


@given(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12).filter(
        lambda word: not BUILT_IN.means_halt(word)
    )
)
def test_composed_and_decomposed_spellings_are_one(word: str) -> None:
    spelled = f"move the {word}é block"
    assert parse_command(unicodedata.normalize("NFD", spelled)) == parse_command(spelled)


def test_length_counts_after_collapsing() -> None:
    assert len(parse_command("a" + " " * 4000 + "b").text) == 3
    assert parse_command("x" * MAX_CHARACTERS).kind is CommandKind.TASK
