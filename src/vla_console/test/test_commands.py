# SPDX-License-Identifier: Apache-2.0
"""Messages of a page: valid ones are read, others refused with what is valid."""

import json
import math
import struct

import pytest
from vla_console.access import Role
from vla_console.commands import (
    ACTIONS,
    Act,
    Ask,
    Begin,
    Drive,
    Say,
    Seen,
    Sound,
    Tell,
    describe,
    permitted,
    read_command,
)
from vla_console.errors import ConsoleError

DRIVE = {"do": "drive", "held": True, "linear": [0, 0.5, -1], "angular": [0, 0, 0], "at": 3.5}


def read(**data):
    return read_command(json.dumps(data))


def test_commands_are_read():
    assert read(do="say", text="pick <b>it</b>", id=7) == (Say("pick <b>it</b>"), 7)
    assert read(do="ask", text="where?")[0] == Ask("where?")
    assert read(do="goal", text="clear " * 300, id=8) == (Begin("clear " * 300), 8)
    assert read(do="tell", text="not that one")[0] == Tell("not that one")
    assert [read(do=name)[0] for name in ACTIONS] == [Act(name) for name in ACTIONS]
    drive = read(**DRIVE, frame="tool", gripper=0.25)[0]
    assert drive == Drive(True, (0, 0.5, -1), (0, 0, 0), "tool", 0.25, 3.5)
    assert math.isnan(read(**DRIVE)[0].gripper)
    sound = struct.pack("<II3h", 16000, 1, 1, -2, 3)
    assert read_command(sound) == (Sound(16000, True, sound[8:]), 0)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("stop", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1]", "is a list"),
        ('{"do": "format"}', "valid: hello, say"),
        ('{"do": 3}', "valid: hello, say"),
        ('{"do": "say"}', "1 to 512 characters"),
        ('{"do": "say", "text": " "}', "1 to 512 characters"),
        ('{"do": "say", "text": 4}', "1 to 512 characters"),
        ('{"do": "say", "text": "\\ud800"}', "no valid Unicode"),
        (json.dumps({"do": "say", "text": "x" * 1_000_000}), "has 1000000 characters; valid: 1 to 512"),
        ('{"do": "tell"}', "1 to 2000 characters"),
        (json.dumps({"do": "goal", "text": "x" * 10_000}), "has 10000 characters; valid: 1 to 2000"),
        (json.dumps({**DRIVE, "held": 1}), "true or false"),
        (json.dumps({**DRIVE, "linear": [0, 0, 1.01]}), "from -1 to 1"),
        (json.dumps({**DRIVE, "linear": [0, 0]}), "three numbers"),
        (json.dumps({**DRIVE, "angular": [0, 0, math.nan]}), "from -1 to 1"),
        (json.dumps({**DRIVE, "frame": "world"}), "base or tool"),
        (json.dumps({**DRIVE, "gripper": 2}), "from 0 to 1"),
        (b"", "sound has 0 bytes"),
        (struct.pack("<II", 4000, 1), "8000 to 192000"),
        (struct.pack("<II", 16000, 1) + bytes(40_000), "sound has 40008 bytes"),
    ],
)
def test_other_messages_are_refused_with_what_is_valid(message, said):
    with pytest.raises(ConsoleError, match=said):
        read_command(message)


def test_who_watches_may_stop_and_nothing_else():
    stops = {name for name in ACTIONS if permitted(Role.VIEW, Act(name))}
    assert stops == {"stop", "estop"}
    assert permitted(Role.VIEW, Seen("front"))
    assert not any(
        permitted(Role.VIEW, item)
        for item in (Say("a"), Ask("a"), Begin("a"), Tell("a"), read(**DRIVE)[0], Sound(16000, True, b""))
    )
    assert all(permitted(Role.OPERATE, Act(name)) for name in ACTIONS)


def test_the_log_names_what_was_said_and_no_more_than_a_line_of_it():
    assert describe(Begin("x" * 2000)) == f"goal {'x' * 200!r}"
    assert [describe(command) for command in (Tell("why?"), Say("a"), Ask("b"))] == [
        "tell 'why?'",
        "say 'a'",
        "ask 'b'",
    ]
