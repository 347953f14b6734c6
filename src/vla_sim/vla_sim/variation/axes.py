# SPDX-License-Identifier: Apache-2.0
"""The axes along which a simulated table may differ, as data: parameters with units, default ranges and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vla_sim.world.scene import BLOCKS

Range = tuple[float, float]


class VariationError(ValueError):
    """A variation names what the simulator cannot vary."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of an axis, or `count` of them, drawn uniformly from a range.

    `limits`: the ranges that render and simulate. `signed`: a range is of magnitudes, each with a sign drawn beside.
    """

    default: Range
    limits: Range
    unit: str
    count: int = 1
    signed: bool = False


_COLOR: dict[str, Parameter] = {
    "hue": Parameter((0.0, 1.0), (0.0, 1.0), "of the circle, red 0"),
    "saturation": Parameter((0.1, 0.6), (0.0, 1.0), "0 grey, 1 pure"),
    "value": Parameter((0.35, 0.85), (0.05, 1.0), "0 black, 1 bright"),
}
AXES: Mapping[str, Mapping[str, Parameter]] = {
    "camera": {
        "shift": Parameter((0.0, 0.04), (0.0, 0.15), "m along each axis", 3, signed=True),
        "turn": Parameter((0.0, 5.0), (0.0, 15.0), "degrees about each axis of the camera", 3, signed=True),
        "zoom": Parameter((0.0, 0.06), (0.0, 0.3), "share of the field of view", signed=True),
    },
    "light": {
        "lamp": Parameter((0.5, 1.5), (0.0, 3.0), "times its strength"),
        "headlight": Parameter((0.5, 1.5), (0.2, 2.5), "times its strength"),
        "direction": Parameter((0.0, 35.0), (0.0, 70.0), "degrees about x and y", 2, signed=True),
        "tint": Parameter((0.0, 0.15), (0.0, 0.5), "share of each colour channel", 3, signed=True),
        "shadow": Parameter((0.0, 0.0), (0.0, 1.0), "shadows where the number drawn is 0.5 or more"),
    },
    "table": _COLOR,
    "floor": _COLOR,
    "cloth": {
        "pattern": Parameter((0.0, 4.0), (0.0, 7.0), "number of a pattern of world.cloth.PATTERNS, rounded down"),
        "scale": Parameter((0.5, 2.0), (0.25, 4.0), "times its repetition"),
        **{f"{name}_{i}": parameter for i in (1, 2) for name, parameter in _COLOR.items()},
    },
    "blocks": {
        "shade": Parameter((0.0, 0.25), (0.0, 0.5), "share of each colour channel", 3 * len(BLOCKS), signed=True),
        "size": Parameter((0.8, 1.15), (0.78, 1.15), "times its edge", len(BLOCKS)),
    },
    "physics": {
        "friction": Parameter((0.7, 1.5), (0.3, 3.0), "times that of the objects"),
        "mass": Parameter((0.5, 2.0), (0.2, 4.0), "times that of each block", len(BLOCKS)),
        "gain": Parameter((0.8, 1.2), (0.3, 2.0), "times that of the arm's servos"),
        "damping": Parameter((0.5, 2.0), (0.1, 5.0), "times that of the arm's joints"),
    },
    "delay": {"action": Parameter((0.0, 0.1), (0.0, 0.5), "s after which commands take effect")},
    "arm": {"start": Parameter((0.0, 0.08), (0.0, 0.3), "rad from home, each joint", 7, signed=True)},
    "picture": {
        "noise": Parameter((0.0, 6.0), (0.0, 40.0), "deviation, of 255"),
        "blur": Parameter((0.0, 1.0), (0.0, 6.0), "pixels of the camera"),
        "exposure": Parameter((0.7, 1.35), (0.2, 3.0), "times the brightness"),
        "balance": Parameter((0.0, 0.1), (0.0, 0.4), "share of each colour channel", 3, signed=True),
        "jpeg": Parameter((50.0, 95.0), (5.0, 100.0), "quality"),
    },
}


def check_range(axis: str, name: str, given: Range) -> Range:
    """Return a range. Raises VariationError for an unknown axis or parameter, or one outside the limits."""
    if axis not in AXES:
        raise VariationError(f"unknown axis {axis!r}; valid: {', '.join(AXES)}")
    if name not in AXES[axis]:
        raise VariationError(f"axis {axis}: unknown parameter {name!r}; valid: {', '.join(AXES[axis])}")
    parameter, (low, high) = AXES[axis][name], given
    if not parameter.limits[0] <= low <= high <= parameter.limits[1]:
        least, most = parameter.limits
        raise VariationError(
            f"{axis}.{name} is {low:g} to {high:g}; valid: {least:g} to {most:g} ({parameter.unit}), the smaller first"
        )
    return float(low), float(high)
