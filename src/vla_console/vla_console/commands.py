# SPDX-License-Identifier: Apache-2.0
"""Messages of a page: what is valid, as typed data. A page is never trusted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vla_console.access import Role
from vla_console.errors import ConsoleError

ACTIONS = {
    "stop": "halt the arm",
    "estop": "latch the emergency stop",
    "reset": "release the emergency stop",
    "home": "drive to the home posture",
    "record_start": "begin an episode",
    "record_stop": "end the episode without a label",
    "record_success": "end or label the episode as a success",
    "record_failure": "end or label the episode as a failure",
    "record_discard": "delete the episode",
    "yes": "the answer to a question of speech_node",
    "no": "likewise",
}
STOPS = ("stop", "estop")  # what every role may do
MAX_TEXT = 512  # characters of an instruction or question
MAX_GOAL = 2000  # characters of a goal, as vla_msgs/ExecuteGoal has it
MAX_SAMPLES, RATES = 16000, (8000, 192000)  # of a piece of sound: samples, [Hz]
AUDIO_HEAD = 8  # bytes before the samples: sample rate (uint32), 1 while the talk button is held (uint32)


@dataclass(frozen=True, slots=True)
class Say:
    """An instruction."""

    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A question about what the camera sees."""

    question: str


@dataclass(frozen=True, slots=True)
class Begin:
    """A goal of several steps; it replaces the one under way."""

    goal: str


@dataclass(frozen=True, slots=True)
class Tell:
    """A correction, an answer or a question about the goal under way."""

    text: str


@dataclass(frozen=True, slots=True)
class Act:
    """One of ACTIONS; `text` is the task of record_start."""

    name: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Drive:
    """What a hand on the page wants of the arm, each axis a share from -1 to 1 of the top speed."""

    held: bool
    linear: tuple[float, float, float]
    angular: tuple[float, float, float]
    frame: str  # base or tool
    gripper: float  # opening from 0 to 1; NaN leaves it
    at: float  # [s] on the page's clock when its devices were read


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of the microphone's sound."""

    sample_rate: int  # [Hz]
    talking: bool
    samples: bytes  # int16, one channel


@dataclass(frozen=True, slots=True)
class Seen:
    """The page has shown a camera's picture."""

    camera: str


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of a page."""

    token: str


Command = Say | Ask | Begin | Tell | Act | Drive | Sound | Seen | Hello


def permitted(role: Role, command: Command) -> bool:
    """Return whether `role` may give `command`."""
    return role is Role.OPERATE or isinstance(command, Seen) or stops(command)


def stops(command: Command) -> bool:
    """Return whether a command stops the arm."""
    return isinstance(command, Act) and command.name in STOPS


def describe(command: Command) -> str:
    """Return a command in a line for the log."""
    if isinstance(command, Act):
        return f"{command.name} {command.text[:200]!r}" if command.text else command.name
    if isinstance(command, Say | Tell):
        return f"{type(command).__name__.lower()} {command.text[:200]!r}"
    if isinstance(command, Ask):
        return f"ask {command.question[:200]!r}"
    if isinstance(command, Begin):
        return f"goal {command.goal[:200]!r}"
    return type(command).__name__.lower()


def read_command(message: str | bytes) -> tuple[Command, int]:
    """Return the command in a page's message, and the number that its answer is to carry (0: none).

    Raises:
        ConsoleError: the message is invalid.
    """
    if isinstance(message, bytes):
        return _sound(message), 0
    try:
        data = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise ConsoleError(f"the message is no JSON ({str(error)[:80]}); valid: an object with 'do'") from error
    if not isinstance(data, dict):
        raise ConsoleError(f"the message is a {type(data).__name__}; valid: an object with 'do'")
    number = data.get("id", 0)
    return _command(data), number if isinstance(number, int) and not isinstance(number, bool) else 0


def _command(data: Mapping[str, Any]) -> Command:
    kind = data.get("do")
    if kind == "say":
        return Say(_text(data, "text"))
    if kind == "ask":
        return Ask(_text(data, "text"))
    if kind == "goal":
        return Begin(_text(data, "text", most=MAX_GOAL))
    if kind == "tell":
        return Tell(_text(data, "text", most=MAX_GOAL))
    if kind == "drive":
        return _drive(data)
    if kind == "seen":
        return Seen(_text(data, "camera"))
    if kind == "hello":
        token = data.get("token", "")
        return Hello(token if isinstance(token, str) else "")
    if isinstance(kind, str) and kind in ACTIONS:
        return Act(kind, _text(data, "text", empty=True))
    valid = ", ".join(("hello", "say", "ask", "goal", "tell", "drive", "seen", *ACTIONS))
    raise ConsoleError(f"'do' is {str(kind)[:60]!r}; valid: {valid}")


def _text(data: Mapping[str, Any], key: str, empty: bool = False, most: int = MAX_TEXT) -> str:
    value = data.get(key, "")
    if not isinstance(value, str) or not (value.strip() or empty):
        raise ConsoleError(f"{key!r} is {_short(value)}; valid: a text of 1 to {most} characters")
    if len(value) > most:
        raise ConsoleError(f"{key!r} has {len(value)} characters; valid: 1 to {most}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ConsoleError(f"{key!r} is no valid Unicode")
    return value


def _drive(data: Mapping[str, Any]) -> Drive:
    held, frame = data.get("held"), data.get("frame", "base")
    if not isinstance(held, bool) or frame not in ("base", "tool"):
        raise ConsoleError(f"'held' is {_short(held)}, 'frame' {_short(frame)}; valid: true or false; base or tool")
    gripper = data.get("gripper")
    opening = math.nan if gripper is None else _number(gripper, "gripper", 0.0, 1.0)
    at = _number(data.get("at"), "at", 0.0, 1e12)
    return Drive(held, _axes(data, "linear"), _axes(data, "angular"), frame, opening, at)


def _axes(data: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    values = data.get(key)
    if not isinstance(values, list) or len(values) != 3:
        raise ConsoleError(f"{key!r} is {_short(values)}; valid: three numbers from -1 to 1")
    x, y, z = (_number(value, key, -1.0, 1.0) for value in values)
    return x, y, z


def _number(value: Any, key: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConsoleError(f"{key!r} is {_short(value)}; valid: a number from {low:g} to {high:g}")
    return float(value)


def _sound(message: bytes) -> Sound:
    count, rest = divmod(len(message) - AUDIO_HEAD, 2)
    if rest or not 0 <= count <= MAX_SAMPLES:
        most = AUDIO_HEAD + 2 * MAX_SAMPLES
        raise ConsoleError(f"sound has {len(message)} bytes; valid: {AUDIO_HEAD} to {most}, two for each sample")
    rate, talking = (int(value) for value in np.frombuffer(message[:AUDIO_HEAD], "<u4"))
    if not RATES[0] <= rate <= RATES[1]:
        raise ConsoleError(f"sound has {rate} Hz; valid: {RATES[0]} to {RATES[1]}")
    return Sound(rate, talking == 1, message[AUDIO_HEAD:])


def _short(value: Any) -> str:
    return repr(value)[:60]
