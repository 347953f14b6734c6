# SPDX-License-Identifier: Apache-2.0
"""The task families, their words and their success tests on physics.

left and right are the robot's own: left is +y of its base frame (REP-103).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_sim.world.scene import BLOCK_HALF, BLOCKS, BOWL, BOWL_HEIGHT, BOWL_RADIUS
from vla_sim.world.world import World

Array = NDArray[np.float64]
SIDES: dict[str, float] = {"left": 1.0, "right": -1.0}  # sign of y
TEMPLATES: dict[str, str] = {
    "pick": "pick up the {object}",
    "place": "put the {object} in the {target}",
    "near": "move the {object} next to the {target}",
    "push": "push the {object} to the {side}",
}
FAMILIES: tuple[str, ...] = tuple(TEMPLATES)
LIFT_HEIGHT = 0.09  # [m] the centre of a picked object has to be above this
NEAR_DISTANCE = 0.105  # [m] between centres: a gap of at most about one and a half blocks
PUSH_DISTANCE = 0.06  # [m] that a pushed object has to travel at least
HOLD_TIME = 0.4  # [s] for which a test has to stay true


class TaskError(ValueError):
    """The text names no task of this world."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done: a family with its object and its target (a container, a block, or a side)."""

    family: str
    object: str
    target: str = ""

    def __post_init__(self) -> None:
        if self.family not in TEMPLATES:
            raise TaskError(f"unknown family {self.family!r}; valid: {', '.join(FAMILIES)}")
        if self.object not in BLOCKS:
            raise TaskError(f"unknown object {self.object!r}; valid: {', '.join(BLOCKS)}")
        valid = {
            "pick": ("",),
            "place": (BOWL,),
            "near": tuple(b for b in BLOCKS if b != self.object),
            "push": tuple(SIDES),
        }[self.family]
        if self.target not in valid:
            raise TaskError(f"{self.family}: unknown target {self.target!r}; valid: {', '.join(valid)}")

    def text(self, template: str | None = None) -> str:
        """The instruction; `template` may use {object}, {target} and {side} as the family does."""
        template = template or TEMPLATES[self.family]
        try:
            return template.format(object=self.object, target=self.target, side=self.target)
        except (KeyError, IndexError, ValueError) as error:
            raise TaskError(
                f"template {template!r}: valid placeholders are {{object}}, {{target}}, {{side}}"
            ) from error


_NEXT_TO = r"\b(next to|near|beside|close to|alongside|by the)\b"
_VERBS: dict[str, str] = {
    "push": r"\b(push|shove|slide|nudge)\b",
    "near": _NEXT_TO,
    "place": r"\b(bowl)\b",
    "pick": r"\b(pick|lift|grab|grasp|take|raise|get)\b",
}
_COLORS = rf"\b(?:{'|'.join(b.split()[0] for b in BLOCKS)})\b"


def parse_task(text: str) -> Task:
    """The task that a sentence names, by its key words; raises TaskError with an example of each family."""
    words = text.lower()
    blocks = [f"{m} block" for m in re.findall(_COLORS, words)]
    sides = re.findall(r"\b(left|right)\b", words)
    for family, pattern in _VERBS.items():
        if not re.search(pattern, words) or not blocks:
            continue
        if family == "near" and len(blocks) > 1:
            return Task(family, blocks[0], blocks[1])
        if family == "push" and sides:
            return Task(family, blocks[0], sides[0])
        if family == "place" and re.search(_NEXT_TO, words) and not re.search(r"\b(in|into|inside)\b", words):
            continue  # beside the bowl is not in it, and no family
        if family in ("pick", "place"):
            return Task(family, blocks[0], BOWL if family == "place" else "")
    examples = "; ".join(
        Task(f, BLOCKS[0], {"place": BOWL, "near": BLOCKS[1], "push": "left"}.get(f, "")).text() for f in FAMILIES
    )
    raise TaskError(f"no task found in {text!r}; say for example: {examples}; objects: {', '.join(BLOCKS)}")


class SuccessTest:
    """Judges one task on the physics of a world. Call `update` regularly; times in simulation seconds."""

    def __init__(self, world: World, task: Task) -> None:
        """Remembers where the objects are now."""
        self._world, self.task = world, task
        self._start: Mapping[str, Array] = {name: pose[:3].copy() for name, pose in world.objects().items()}
        self._since: float | None = None
        for name in (task.object, task.target):
            if name and name not in SIDES and name not in self._start:
                raise TaskError(f"the {name} is not on the table; there: {', '.join(self._start)}")

    def update(self) -> bool:
        """Whether the test holds and has held for HOLD_TIME."""
        if not self.holds_now():
            self._since = None
            return False
        if self._since is None:
            self._since = self._world.time
        return self._world.time - self._since >= HOLD_TIME - 1e-9

    def holds_now(self) -> bool:
        """Whether the test holds at this instant."""
        position = self._world.object_pose(self.task.object)[:3]
        return bool(getattr(self, f"_{self.task.family}")(position))

    def _pick(self, position: Array) -> bool:
        return bool(position[2] > LIFT_HEIGHT) and self._world.touching_fingers(self.task.object)

    def _place(self, position: Array) -> bool:
        offset = position[:2] - self._world.object_pose(BOWL)[:2]
        inside = np.linalg.norm(offset) < BOWL_RADIUS and position[2] < BOWL_HEIGHT + BLOCK_HALF
        return bool(inside) and not self._world.touching_fingers(self.task.object)

    def _near(self, position: Array) -> bool:
        target = self._world.object_pose(self.task.target)[:3]
        moved = np.linalg.norm(target[:2] - self._start[self.task.target][:2])
        close = np.linalg.norm(position[:2] - target[:2]) < NEAR_DISTANCE
        on_table = position[2] < 1.5 * BLOCK_HALF
        return bool(close and on_table and moved < 0.03) and not self._world.touching_fingers(self.task.object)

    def _push(self, position: Array) -> bool:
        sign = SIDES[self.task.target]
        beyond = sign * position[1] > self._world.robot.side_line_y
        travelled = sign * (position[1] - self._start[self.task.object][1]) > PUSH_DISTANCE
        return bool(beyond and travelled and position[2] < 1.5 * BLOCK_HALF)
