# SPDX-License-Identifier: Apache-2.0
"""Procedural textures of a table cloth: two colours and a pattern."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]
SIZE = 256  # [pixels]


def _stripes(x: Field, y: Field) -> Field:
    return (np.floor(8 * x) % 2).astype(np.float64)


def _checks(x: Field, y: Field) -> Field:
    return (np.floor(6 * x) + np.floor(6 * y)) % 2


def _noise(x: Field, y: Field) -> Field:
    rng = np.random.default_rng(5)
    total = sum(
        np.sin(2 * np.pi * (a * x + b * y) + c)
        for a, b, c in zip(rng.integers(-6, 7, 14), rng.integers(-6, 7, 14), rng.uniform(0, 6.3, 14), strict=True)
    )
    return np.asarray(np.clip(0.5 + 0.14 * total, 0.0, 1.0))


def _dots(x: Field, y: Field) -> Field:
    return np.asarray(np.hypot(8 * x % 1 - 0.5, 8 * y % 1 - 0.5) < 0.28, dtype=np.float64)


def _plaid(x: Field, y: Field) -> Field:
    return np.asarray(0.5 * (np.floor(6 * x) % 2 + np.floor(6 * y) % 2))


def _bricks(x: Field, y: Field) -> Field:
    row = np.floor(10 * y)
    across = (5 * x + 0.5 * (row % 2)) % 1
    return np.asarray((10 * y % 1 < 0.12) | (across < 0.06), dtype=np.float64)


def _rings(x: Field, y: Field) -> Field:
    return np.asarray(np.floor(16 * np.hypot(x - 0.5, y - 0.5)) % 2, dtype=np.float64)


PATTERNS: dict[str, Callable[[Field, Field], Field]] = {
    "stripes": _stripes,
    "checks": _checks,
    "noise": _noise,
    "dots": _dots,
    "plaid": _plaid,
    "bricks": _bricks,
    "rings": _rings,
}


def texture(name: str, one: tuple[float, float, float], other: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Return a picture (SIZE, SIZE, 3) of a pattern in two colours, each channel 0 to 1."""
    x, y = np.meshgrid(np.arange(SIZE) / SIZE, np.arange(SIZE) / SIZE)
    share = PATTERNS[name](x, y)[:, :, None]
    return np.asarray(255.0 * ((1 - share) * np.array(one) + share * np.array(other)), dtype=np.uint8)
