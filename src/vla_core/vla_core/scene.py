# SPDX-License-Identifier: Apache-2.0
"""What is on the table as symbols: objects with positions in the robot's base frame, and their relations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

Position = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class SceneRules:
    """Distances [m] by which positions become relations. Heights are above the table."""

    inside: float = 0.062  # horizontal distance of a block's centre from the container's, at most
    next_to: float = 0.105  # between the centres of two blocks on the table, at most
    side_line: float = 0.15  # |y| beyond which an object is on a side; 0.13 for wx250s
    in_hand: float = 0.035  # from the tool centre point, at most
    lifted: float = 0.06  # height of the tool above which what is between closed fingers is held up
    holding_width: tuple[float, float] = (0.02, 0.06)  # gripper width with a block between the fingers


@dataclass(frozen=True, slots=True)
class SeenObject:
    """One object. `confidence`: that it is there, 0 to 1; `deviation`: of a coordinate [m], NaN when unknown."""

    name: str
    position: Position  # [m]
    confidence: float = 1.0
    deviation: float = math.nan


@dataclass(frozen=True, slots=True)
class Scene:
    """What is on the table. `tool`: tool centre point [m]; `gripper_width`: [m], NaN when unknown; `stamp`: [s]."""

    objects: Mapping[str, SeenObject] = field(default_factory=dict)
    tool: Position | None = None
    gripper_width: float = math.nan
    stamp: float = 0.0
    rules: SceneRules = SceneRules()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the objects that are there."""
        return tuple(self.objects)

    def distance(self, name: str, other: str) -> float:
        """Return the horizontal distance between two objects [m]; infinite where one is not there."""
        if name not in self.objects or other not in self.objects:
            return math.inf
        a, b = self.objects[name].position, self.objects[other].position
        return math.hypot(a[0] - b[0], a[1] - b[1])

    @property
    def held(self) -> str:
        """The object between the fingers, or an empty text."""
        low, high = self.rules.holding_width
        if self.tool is None or not low < self.gripper_width < high:
            return ""
        near = {name: self._from_tool(seen.position) for name, seen in self.objects.items()}
        name = min(near, key=lambda key: near[key], default="")
        return name if name and near[name] < self.rules.in_hand else ""

    def _from_tool(self, position: Position) -> float:
        return math.dist(position[:2], self.tool[:2]) if self.tool is not None else math.inf

    def inside(self, name: str, container: str) -> bool:
        """Whether an object lies in a container, not in the hand."""
        return self.distance(name, container) < self.rules.inside and self.held != name

    def next_to(self, name: str, other: str) -> bool:
        """Whether two objects stand next to each other on the table, neither in the hand."""
        free = self.held not in (name, other)
        return free and self.distance(name, other) < self.rules.next_to

    def side(self, name: str) -> str:
        """Return left or right for an object beyond that line, else an empty text. Left is +y (REP 103)."""
        y = self.objects[name].position[1] if name in self.objects else 0.0
        return "left" if y > self.rules.side_line else "right" if y < -self.rules.side_line else ""

    def lifted(self, name: str) -> bool:
        """Whether an object is held up by the hand."""
        return self.held == name and self.tool is not None and self.tool[2] > self.rules.lifted

    def relations(self, name: str, containers: tuple[str, ...] = ("bowl",)) -> tuple[str, ...]:
        """Return the relations of an object in words, for example "in the bowl"."""
        found = ["in the hand"] if self.held == name else []
        found += [f"in the {box}" for box in containers if name != box and self.inside(name, box)]
        inside = any(self.inside(name, box) for box in containers)
        for other in self.objects:
            if other != name and other not in containers and name not in containers and not inside:
                found += [f"next to the {other}"] if self.next_to(name, other) else []
        side = self.side(name)
        return (*found, *((f"on the {side}",) if side else ()))

    def describe(self) -> str:
        """Return the scene in words, for prompts and answers; one sentence an object."""
        lines = []
        for name, seen in self.objects.items():
            where = ", ".join(self.relations(name)) or "on the table"
            lines.append(f"{name}: {where}, at x {seen.position[0]:.2f} y {seen.position[1]:.2f} m")
        return "\n".join(lines) or "nothing is on the table"
