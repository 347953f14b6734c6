# SPDX-License-Identifier: Apache-2.0
"""Marks on blocks: digits of seven segments and a cross, plates on the top and on the side towards the camera."""

from __future__ import annotations

import math

from vla_sim.world.solids import Solid, Vector, box

_WIDE, _HIGH = 0.0075, 0.0065  # [m] half the width of a digit, half the height of one of its two squares
_STROKE, _THICK = 0.0025, 0.0004  # [m] half sizes
# segment -> (right, up) of its centre in units of the half sizes, and whether it lies across
_SEGMENTS: dict[str, tuple[float, float, bool]] = {
    "a": (0, 2, True),
    "b": (1, 1, False),
    "c": (1, -1, False),
    "d": (0, -2, True),
    "e": (-1, -1, False),
    "f": (-1, 1, False),
    "g": (0, 0, True),
}
_DIGITS = {
    "0": "abcdef",
    "1": "bc",
    "2": "abged",
    "3": "abgcd",
    "4": "fgbc",
    "5": "afgcd",
    "6": "afgecd",
    "7": "abc",
    "8": "abcdefg",
    "9": "abcdfg",
}
CROSS = "x"
MARKS: tuple[str, ...] = (*_DIGITS, CROSS)


def mark_solids(mark: str, half: float, ink: Vector) -> tuple[Solid, ...]:
    """Return the plates of a mark on a cube of that half size [m], upright for the camera at +x."""
    plates = _cross() if mark == CROSS else [_segment(*_SEGMENTS[name]) for name in _DIGITS[mark]]
    return tuple(
        plate
        for right, up, half_right, half_up, turn in plates
        for plate in _both_faces(right, up, half_right, half_up, turn, half, ink)
    )


def _segment(right: float, up: float, across: bool) -> tuple[float, float, float, float, float]:
    sizes = (_WIDE + _STROKE, _STROKE) if across else (_STROKE, _HIGH + _STROKE)
    return (right * _WIDE, up * _HIGH, *sizes, 0.0)


def _cross() -> list[tuple[float, float, float, float, float]]:
    return [(0.0, 0.0, 0.016, _STROKE, sign * math.pi / 4) for sign in (-1, 1)]


def _both_faces(
    right: float, up: float, half_right: float, half_up: float, turn: float, half: float, ink: Vector
) -> tuple[Solid, Solid]:
    """One plate on top (up is -x, right is +y) and on the face at +x (up is +z)."""
    top = box(half_up, half_right, _THICK).at(-up, right, half, -turn)
    cos, sin = math.cos(turn / 2), math.sin(turn / 2)
    side = Solid(top.kind, (_THICK, half_right, half_up), (half, right, up), (cos, sin, 0.0, 0.0))
    return tuple(  # type: ignore[return-value]
        Solid(each.kind, each.size, each.position, each.quaternion, ink, drawn_only=True) for each in (top, side)
    )
