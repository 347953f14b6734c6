# SPDX-License-Identifier: Apache-2.0
"""Things that lie on a table beside the task's objects: distractors, some of which no training data may hold."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vla_sim.world.solids import Solid, Solids, Vector, box, cylinder, ellipsoid, lying_capsule, prism, wedge

GREY, BROWN, WHITE, BLACK = (0.45, 0.47, 0.50), (0.40, 0.24, 0.12), (0.92, 0.92, 0.90), (0.10, 0.10, 0.11)
ORANGE, PINK, CYAN, OLIVE = (0.93, 0.46, 0.07), (0.93, 0.52, 0.68), (0.15, 0.66, 0.72), (0.42, 0.44, 0.16)


@dataclass(frozen=True, slots=True)
class Thing:
    """A distractor. `height` and `radius` [m]: of its top above the table, of the circle that it fills."""

    solids: Solids
    color: Vector
    radius: float
    height: float
    trained: bool

    @property
    def resting_z(self) -> float:
        """Height of its body's origin on the table [m], with a millimetre to settle."""
        return 0.5 * self.height + 0.001


def _thing(parts: tuple[Solid, ...], color: Vector, radius: float, height: float, trained: bool = True) -> Thing:
    return Thing(Solids(parts, 0.08), color, radius, height, trained)


def _stack(lower: Solid, lower_half: float, upper: Solid, upper_half: float) -> tuple[Solid, Solid]:
    """Two shapes on each other, centred about the middle of both."""
    return lower.at(0.0, 0.0, -upper_half), upper.at(0.0, 0.0, lower_half)


def _ring(radius: float, half: float, count: int) -> tuple[Solid, ...]:
    length = 1.15 * radius * math.tan(math.pi / count)
    turns = [2 * math.pi * i / count for i in range(count)]
    return tuple(box(half, length, half).at(radius * math.cos(a), radius * math.sin(a), 0.0, a) for a in turns)


def _star(points: int, length: float, half: float) -> tuple[Solid, ...]:
    return tuple(box(length, half, half).at(0.0, 0.0, 0.0, math.pi * i / points) for i in range(points))


_cup = _stack(cylinder(0.025, 0.023), 0.023, cylinder(0.021, 0.002).colored(BLACK), 0.002)
_mug = (cylinder(0.024, 0.025), box(0.004, 0.010, 0.014).at(0.0, 0.032, 0.0))
_dumbbell = tuple(ellipsoid(0.015, 0.015, 0.015).at(0.0, y, 0.0) for y in (-0.026, 0.026))

THINGS: dict[str, Thing] = {
    "white cup": _thing(_cup, WHITE, 0.025, 0.050),
    "black box": _thing((box(0.018, 0.028, 0.012),), BLACK, 0.034, 0.024),
    "orange egg": _thing((ellipsoid(0.018, 0.024, 0.016),), ORANGE, 0.024, 0.032),
    "olive roll": _thing((lying_capsule(0.012, 0.025),), OLIVE, 0.037, 0.024),
    "pink disc": _thing((cylinder(0.028, 0.005),), PINK, 0.028, 0.010),
    "cyan book": _thing((box(0.036, 0.026, 0.007),), CYAN, 0.045, 0.014),
    "brown cross": _thing(_star(2, 0.030, 0.009), BROWN, 0.032, 0.018),
    "grey nut": _thing((prism(6, 0.024, 0.010),), GREY, 0.024, 0.020),
    "black pen": _thing((lying_capsule(0.006, 0.040),), BLACK, 0.046, 0.012),
    "olive stairs": _thing(
        (box(0.024, 0.020, 0.009).at(0.0, 0.0, -0.009), box(0.012, 0.020, 0.009).at(-0.012, 0.0, 0.009)),
        OLIVE,
        0.032,
        0.036,
    ),
    "orange cone": _thing((prism(12, 0.024, 0.025, 0.2),), ORANGE, 0.024, 0.050, trained=False),
    "brown bottle": _thing(
        _stack(cylinder(0.020, 0.025), 0.025, cylinder(0.009, 0.012), 0.012), BROWN, 0.020, 0.074, trained=False
    ),
    "white mug": _thing(_mug, WHITE, 0.043, 0.050, trained=False),
    "pink star": _thing(_star(3, 0.029, 0.008), PINK, 0.031, 0.016, trained=False),
    "cyan ring": _thing(_ring(0.022, 0.007, 8), CYAN, 0.032, 0.014, trained=False),
    "grey dumbbell": _thing((*_dumbbell, lying_capsule(0.006, 0.02)), GREY, 0.041, 0.030, trained=False),
    "black pyramid": _thing((prism(4, 0.030, 0.018, 0.0),), BLACK, 0.030, 0.036, trained=False),
    "olive roof": _thing((wedge(0.022, 0.026, 0.015),), OLIVE, 0.034, 0.030, trained=False),
    "tall grey can": _thing((cylinder(0.019, 0.040),), GREY, 0.019, 0.080, trained=False),
}
TRAINED_THINGS: tuple[str, ...] = tuple(name for name, thing in THINGS.items() if thing.trained)
HELD_OUT_THINGS: tuple[str, ...] = tuple(name for name, thing in THINGS.items() if not thing.trained)
OCCLUDER = "tall grey can"  # stands between the camera and the task's block in the hard tables
