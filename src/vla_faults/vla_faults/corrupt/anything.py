# SPDX-License-Identifier: Apache-2.0
"""Corruptions of any message: random contents by its own description, old and future stamps."""

from __future__ import annotations

import copy
import random
import re
from typing import Any

FLOATS = (float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e308, -1e308, 5e-324, 1.0, -1.0, 1e9)
INTEGERS = re.compile(r"(u?)int(8|16|32|64)")
SEQUENCE = re.compile(r"sequence<(.+?)(?:, (\d+))?>")
ARRAY = re.compile(r"(.+)\[(\d+)\]")
STAMP_SHIFT = 10.0  # [s]
LONGEST = 24  # elements of a random array


def garbage(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a message of the same type whose every field is drawn at random, extreme values among them."""
    found = type(message)()
    for name, kind in message.get_fields_and_field_types().items():
        setattr(found, name, _value(getattr(message, name), kind, rng))
    return found


def _value(like: Any, kind: str, rng: random.Random) -> Any:
    """A random value of the ROS type `kind`; `like` is the value of the message that is replaced."""
    if fixed := ARRAY.fullmatch(kind):
        return [_value(None, fixed[1], rng) for _ in range(int(fixed[2]))]
    if sequence := SEQUENCE.fullmatch(kind):
        return _sequence(like, sequence, rng)
    if integer := INTEGERS.fullmatch(kind):
        low, high = (0, 2 ** int(integer[2]) - 1) if integer[1] else (-(2 ** (int(integer[2]) - 1)), 0)
        high = high or -low - 1
        return rng.choice((low, high, 0, 1, rng.randint(low, high)))
    if kind in ("float", "double"):
        value = rng.choice((*FLOATS, rng.uniform(-4.0, 4.0), rng.uniform(-4.0, 4.0)))
        return value if kind == "double" or abs(value) < 1e38 or value != value or abs(value) == float("inf") else 1e38
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "octet":
        return bytes([rng.randrange(256)])
    if kind.startswith(("string", "wstring")):
        return "".join(chr(rng.choice((0x41, 0x20, 0x0A, 0xE9, 0x4E2D, 0x1F916))) for _ in range(rng.randrange(40)))
    return garbage(like, 0.0, rng) if like is not None else None


def _sequence(like: Any, sequence: re.Match[str], rng: random.Random) -> Any:
    length = rng.choice((0, len(like), rng.randrange(LONGEST)))
    if sequence[1] == "uint8":
        return list(rng.randbytes(length))
    if "/" in sequence[1]:  # of messages: those that are there, with random contents
        return [garbage(item, 0.0, rng) for item in list(like)[:length]]
    return [_value(None, sequence[1], rng) for _ in range(min(length, int(sequence[2] or length)))]


def old(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return the message with a stamp `magnitude` [s] back (default 10 s)."""
    return shifted(message, -(magnitude or STAMP_SHIFT))


def future(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return the message with a stamp `magnitude` [s] ahead (default 10 s)."""
    return shifted(message, magnitude or STAMP_SHIFT)


def unstamped(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return the message with a stamp of zero."""
    found = copy.deepcopy(message)
    found.header.stamp.sec = found.header.stamp.nanosec = 0
    return found


def shifted(message: Any, seconds: float) -> Any:
    """Return the message with its stamp (of a Clock: its time) moved by `seconds` [s], at least zero."""
    found = copy.deepcopy(message)
    stamp = found.header.stamp if hasattr(found, "header") else found.clock
    total = max(0, stamp.sec * 10**9 + stamp.nanosec + round(seconds * 1e9))
    stamp.sec, stamp.nanosec = divmod(total, 10**9)
    return found
