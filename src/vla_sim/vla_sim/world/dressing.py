# SPDX-License-Identifier: Apache-2.0
"""What the blocks of a table look like, and what else lies there: data from which a scene is compiled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vla_sim.world.marks import MARKS, mark_solids
from vla_sim.world.solids import Solid, Solids, Vector, box, cylinder, wedge
from vla_sim.world.things import BLACK, BROWN, CYAN, ORANGE, PINK, THINGS, WHITE

PAINTS: dict[str, Vector] = {
    "orange": ORANGE,
    "pink": PINK,
    "turquoise": CYAN,
    "white": WHITE,
    "black": BLACK,
    "brown": BROWN,
}
CUBE = "block"  # the shape that a block has, and the noun of it
_H = 0.02  # [m] half height of every shape, so that each rests and is grasped as a cube is
SHAPES: dict[str, tuple[Solid, ...]] = {
    CUBE: (box(_H, _H, _H),),
    "cylinder": (cylinder(_H, _H),),
    "bar": (box(0.031, _H, _H),),
    "l": (box(0.031, 0.02, _H), box(0.008, 0.01, _H).at(0.023, 0.03, 0.0)),
    "triangle": (wedge(0.024, _H, _H),),
}
_NOUNS = {"l": "l shape"}


class DressingError(ValueError):
    """A table's dressing names what the simulator does not have."""


@dataclass(frozen=True, slots=True)
class Cloth:
    """A table cloth: a pattern of `vla_sim.world.cloth` in two colours, `scale` times its usual repetition."""

    pattern: str
    one: Vector
    other: Vector
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Dressing:
    """Differences from the plain table. Blocks by their own name ("red block"); without any, nothing differs."""

    shapes: Mapping[str, str] = field(default_factory=dict)  # block -> one of SHAPES
    paints: Mapping[str, str] = field(default_factory=dict)  # block -> one of PAINTS
    marks: Mapping[str, str] = field(default_factory=dict)  # block -> one of MARKS
    things: tuple[str, ...] = ()  # of THINGS, each once
    cloth: Cloth | None = None

    def __post_init__(self) -> None:
        """Raise DressingError for an unknown name or a thing that is there twice."""
        _check("shape", self.shapes.values(), SHAPES)
        _check("paint", self.paints.values(), PAINTS)
        _check("mark", self.marks.values(), MARKS)
        _check("thing", self.things, THINGS)
        if len(set(self.things)) < len(self.things):
            raise DressingError(f"a thing lies on the table twice: {', '.join(self.things)}")

    @property
    def plain(self) -> bool:
        """Whether the table is the plain one."""
        return self == Dressing()

    def called(self, name: str) -> str:
        """What a person would call a block that looks like this: "orange cylinder"; other names as they are."""
        if name not in self.shapes and name not in self.paints:
            return name
        shape = self.shapes.get(name, CUBE)
        return f"{self.paints.get(name, name.split()[0])} {_NOUNS.get(shape, shape)}"

    def block(self, name: str, color: Vector) -> tuple[Solids, Vector]:
        """Return the shapes and the colour of a block whose plain colour is `color`."""
        painted = PAINTS[self.paints[name]] if name in self.paints else color
        parts = SHAPES[self.shapes.get(name, CUBE)]
        if name in self.marks:
            ink = BLACK if 0.3 * painted[0] + 0.6 * painted[1] + 0.1 * painted[2] > 0.45 else WHITE
            parts += mark_solids(self.marks[name], _H, ink)
        return Solids(parts), painted


def _check(what: str, names: Iterable[str], valid: Iterable[str]) -> None:
    for name in names:
        if name not in (known := tuple(valid)):
            raise DressingError(f"unknown {what} {name!r}; valid: {', '.join(known)}")
