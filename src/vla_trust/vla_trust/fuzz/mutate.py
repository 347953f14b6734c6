# SPDX-License-Identifier: Apache-2.0
"""Mutations of valid input: bytes, texts and plain data. The same seed gives the same mutations."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

NUMBERS: tuple[float, ...] = (
    *(0, 1, -1, 2, 7, 8, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53, 2**63, -(2**63)),
    *(2**64 - 1, 10**30, 10**400, -(10**400), 0.0, -0.0, 0.5, 1e-300, 1e300, -1e300, 5e-324),
    *(math.nan, math.inf, -math.inf, math.pi, 1e6, 1e9),
)
TEXTS = (
    *(
        "",
        " ",
        "a",
        "0",
        "-1",
        "nan",
        "inf",
        "1e400",
        "null",
        "true",
        "..",
        "../../etc/passwd",
        "/dev/null",
        "%s%n",
        "{}",
    ),
    *(
        "{0.__class__}",
        "\x00",
        "\n",
        "\r\n",
        "\ud800",
        "\ufffd",
        "\u202e",
        "\N{ZERO WIDTH JOINER}",
        "é",
        "停止",
        "\U0001f916",
    ),
    *(
        "__class__",
        "__import__('os')",
        "!!python/object/apply:os.system [id]",
        "a" * 300,
        "9" * 5000,
        "file:///etc/passwd",
    ),
)
MAX_BYTES = 1 << 16  # longer inputs only repeat what shorter ones show
MAX_PLACES = 400  # of plain data that one mutation chooses from


class Mutator:
    """Draws mutations from a random generator."""

    def __init__(self, rng: random.Random) -> None:
        """Keep the generator."""
        self.rng = rng

    def number(self) -> float:
        """Return an integer or a float: at an edge, or anywhere."""
        rng = self.rng
        pick = rng.random()
        if pick < 0.5:
            return rng.choice(NUMBERS)
        return rng.randrange(-300, 300) if pick < 0.75 else rng.uniform(-10.0, 10.0) * 10.0 ** rng.randrange(-6, 7)

    def scalar(self) -> Any:
        """Return a value of any plain type, containers included."""
        return self.rng.choice(
            (
                None,
                True,
                False,
                self.number(),
                self.number(),
                self.word(),
                self.word(),
                [],
                {},
                [[]],
                b"\xff\x00",
                [None],
            )
        )

    def word(self) -> str:
        """Return a text that readers stumble over, or random letters."""
        if self.rng.random() < 0.7:
            return self.rng.choice(TEXTS)
        return "".join(
            chr(self.rng.choice((self.rng.randrange(32, 127), self.rng.randrange(0x2000)))) for _ in range(6)
        )

    def bytes(self, data: bytes) -> bytes:
        """Return changed bytes: flipped, cut, repeated, inserted, overwritten; now and then several times."""
        changed = bytearray(data)
        for _ in range(1 + int(self.rng.expovariate(0.7))):
            self.rng.choice(_BYTE_CHANGES)(self.rng, changed)
        return bytes(changed[:MAX_BYTES])

    def text(self, data: str) -> str:
        """Return a changed text."""
        for _ in range(1 + int(self.rng.expovariate(0.7))):
            data = self._text_once(data)
        return data[:MAX_BYTES]

    def _text_once(self, data: str) -> str:
        rng, pick = self.rng, self.rng.random()
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + int(rng.expovariate(0.1)))
        if pick < 0.3:
            return data[:start] + data[end:]
        if pick < 0.55:
            return data[:start] + self.word() + data[end:]
        if pick < 0.7:
            return data[:start] + str(self.number())[:400] + data[end:]
        if pick < 0.85:
            return data[:start] + data[start:end] * rng.choice((2, 3, 50)) + data[end:]
        return data[:start] + rng.choice("\"'{}[]<>:,-/\\&*!#|%@`\t\n") + data[start:]

    def data(self, value: Any) -> Any:
        """Return a copy of plain data with one to a few places changed."""
        changed = copied(value)
        for _ in range(1 + int(self.rng.expovariate(0.8))):
            changed = self._data_once(changed)
        return changed

    def _data_once(self, root: Any) -> Any:
        places = _places(root)
        if not places or self.rng.random() < 0.02:
            return self.scalar()
        holder, key = self.rng.choice(places)
        self._change(holder, key)
        return root

    def _change(self, holder: Any, key: Any) -> None:
        rng, old, pick = self.rng, holder[key], self.rng.random()
        if pick < 0.35:
            holder[key] = self.scalar()
        elif pick < 0.65:
            holder[key] = self._like(old)
        elif pick < 0.75:
            del holder[key]
        elif pick < 0.85 and isinstance(holder, list):
            holder.insert(rng.randrange(len(holder) + 1), copied(old))
        elif pick < 0.92 and isinstance(holder, dict):
            holder[self.word()] = copied(old)
        else:
            holder[key] = rng.choice(([old], {"a": old}, [old] * rng.choice((2, 9))))

    def _like(self, old: Any) -> Any:
        """Return another value of the same type."""
        rng = self.rng
        if isinstance(old, bool):
            return not old
        if isinstance(old, int | float):
            return rng.choice((self.number(), -old, old * 2, old + 1))
        if isinstance(old, str):
            return self._text_once(old)
        if isinstance(old, bytes):
            return self.bytes(old)
        if isinstance(old, list):
            return old[: rng.randrange(len(old) + 1)]
        return self.scalar()


def copied(value: Any) -> Any:
    """Return a copy of plain data in which lists and maps are new."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list | tuple) else value


def _places(root: Any) -> list[tuple[Any, Any]]:
    """Return the first MAX_PLACES places of plain data, breadth first, as (container, key)."""
    found: list[tuple[Any, Any]] = []
    level = [root]
    while level and len(found) < MAX_PLACES:
        inner: list[Any] = []
        for item in level:
            keys = list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
            found += [(item, key) for key in keys]
            inner += [item[key] for key in keys if isinstance(item[key], dict | list)]
        level = inner
    return found


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _overwrite(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _number(rng: random.Random, data: bytearray) -> None:
    place, width = rng.randrange(len(data) + 1), rng.choice((2, 4, 8))
    value = rng.choice((0, 1, 0x7F, 0xFF, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), rng.randrange(2 ** (8 * width))))
    data[place : place + width] = (value % 2 ** (8 * width)).to_bytes(width, rng.choice(("little", "big")))


def _cut(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + 1 + int(rng.expovariate(0.05))]


def _truncate(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _repeat(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    part = data[start : start + 1 + int(rng.expovariate(0.05))]
    data[start:start] = part * rng.choice((1, 2, 30))


def _insert(rng: random.Random, data: bytearray) -> None:
    place = rng.randrange(len(data) + 1)
    data[place:place] = rng.randbytes(rng.choice((1, 2, 4, 16)))


_BYTE_CHANGES: tuple[Callable[[random.Random, bytearray], None], ...] = (
    *(_flip, _flip, _overwrite, _overwrite, _number, _cut, _truncate, _repeat, _insert),
)
