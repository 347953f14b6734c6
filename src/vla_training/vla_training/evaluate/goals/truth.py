# SPDX-License-Identifier: Apache-2.0
"""The truth about goals and steps: conditions on the physics of a world."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from vla_planner.scene import Scene, SceneRules, SeenObject
from vla_planner.vocabulary import NEAR, PICK, PLACE, PUSH, Step
from vla_sim.task.task import LIFT_HEIGHT, NEAR_DISTANCE, SIDES, TaskError
from vla_sim.world.scene import BLOCK_HALF, BLOCKS, BOWL, BOWL_RADIUS
from vla_sim.world.world import World

IN, NOT_IN, NEXT_TO, GROUP, ON, HAND = "in", "not in", "next to", "grouped with", "on the", "in hand"
_CLOSED = 0.06  # [m] gripper width below which the fingers grip
_FORMS = (
    "'red block in bowl', 'red block not in bowl', 'red block next to blue block', "
    "'red block grouped with blue block', "
    "'red block on the left', 'red block in hand'; 'all blocks' and 'all blocks but red' stand for several"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A relation that is to hold at the end. `object` may be "all blocks", with `but` left out."""

    object: str
    relation: str
    target: str = ""
    but: tuple[str, ...] = ()

    def each(self, world: World) -> Iterator[Condition]:
        """Yield one condition for each object that it is about on this table."""
        if self.object != "all blocks":
            yield self
            return
        for name in BLOCKS:
            if name in world.objects() and name not in self.but and name != self.target:
                yield Condition(name, self.relation, self.target)

    def holds(self, world: World) -> bool:
        """Whether a condition about one object holds now."""
        there = world.objects()
        if self.object not in there or (self.target in (*BLOCKS, BOWL) and self.target not in there):
            return self.relation == NOT_IN
        if self.relation == GROUP:
            return self.target in _group(world, self.object)
        if self.relation == NOT_IN:
            return not Condition(self.object, IN, self.target).holds(world)
        family = {IN: PLACE, NEXT_TO: NEAR, ON: PUSH, HAND: PICK}[self.relation]
        return step_holds(world, Step(family, self.object, self.target))


def step_holds(world: World, step: Step) -> bool:
    """Whether what a step is to bring about is so, in truth. Blocks may lie on others in the bowl."""
    there = world.objects()
    if step.object not in there:
        return False
    position, free = there[step.object][:3], not _gripped(world, step.object)
    if step.family == PICK:
        return bool(position[2] > LIFT_HEIGHT) and not free
    if step.family == PUSH:
        return bool(SIDES[step.target] * position[1] > world.robot.side_line_y and position[2] < 1.5 * BLOCK_HALF)
    if step.target not in there:
        return False
    target = there[step.target][:3]
    apart = float(np.linalg.norm(position[:2] - target[:2]))
    if step.family == PLACE:
        return free and apart < BOWL_RADIUS and bool(position[2] < 0.25)
    return free and apart < NEAR_DISTANCE and bool(max(position[2], target[2]) < 1.5 * BLOCK_HALF)


def step_possible(world: World, step: Step) -> bool:
    """Whether a step makes sense now, in truth: all is there, nothing lies on it, and it is not so already."""
    there = world.objects()
    names = [step.object] + ([step.target] if step.target in (*BLOCKS, BOWL) else [])
    if any(name not in there for name in names) or step_holds(world, step):
        return False
    if any(_on_top(world, name, step.object) for name in BLOCKS if name in there):
        return False
    inside = step_holds(world, Step(PLACE, step.object, BOWL)) if BOWL in there else False
    if step.family == PUSH and inside:
        return False
    return not (step.family == NEAR and BOWL in there and step_holds(world, Step(PLACE, step.target, BOWL)))


def true_scene(world: World) -> Scene:
    """Return the true symbols: for scoring, and for comparison with what is perceived."""
    rules = SceneRules(side_line=world.robot.side_line_y)
    objects = {
        name: SeenObject(name, (float(pose[0]), float(pose[1]), float(pose[2])))
        for name, pose in world.objects().items()
        if name in (*BLOCKS, BOWL)
    }
    x, y, z = world.tcp_pose()[:3].tolist()
    return Scene(objects, (x, y, z), world.gripper_width, world.time, rules)


def parse_condition(text: str) -> Condition:
    """Return the condition of a caller's words. Raises TaskError that lists the valid forms."""
    words = " ".join(text.lower().replace("the bowl", "bowl").split())
    colors = "|".join(name.split()[0] for name in BLOCKS)
    match = re.fullmatch(
        rf"(?:(?P<one>(?:{colors}) block)|all blocks(?: but (?P<but>[a-z, ]+?))?) "
        rf"(?:(?P<not>not )?in (?P<box>bowl|hand)|(?P<near>next to|grouped with) (?P<other>(?:{colors}) block)"
        r"|on (?:the )?(?P<side>left|right))",
        words,
    )
    if match is None:
        raise TaskError(f"condition {text[:80]!r} is not valid; valid: {_FORMS}")
    but = tuple(f"{color} block" for color in re.findall(rf"\b(?:{colors})\b", match["but"] or ""))
    name = match["one"] or "all blocks"
    if match["box"] == "hand":
        return Condition(name, HAND, "", but)
    if match["box"]:
        return Condition(name, NOT_IN if match["not"] else IN, BOWL, but)
    if match["side"]:
        return Condition(name, ON, match["side"], but)
    return Condition(name, match["near"], match["other"], but)


def share_held(world: World, conditions: Sequence[Condition]) -> float:
    """Return the share of conditions that hold, each object counted."""
    each = [single for condition in conditions for single in condition.each(world)]
    return sum(single.holds(world) for single in each) / len(each) if each else 1.0


def _gripped(world: World, name: str) -> bool:
    return world.touching_fingers(name) and world.gripper_width < _CLOSED


def _on_top(world: World, upper: str, lower: str) -> bool:
    offset = world.object_pose(upper)[:3] - world.object_pose(lower)[:3]
    return upper != lower and 0.03 < offset[2] < 0.06 and bool(np.linalg.norm(offset[:2]) < 0.03)


def _group(world: World, name: str) -> set[str]:
    """Return the blocks that stand with one in a group of neighbours on the table."""
    there = {n: pose[:3] for n, pose in world.objects().items() if n in BLOCKS and pose[2] < 1.5 * BLOCK_HALF}
    group, edge = {name}, [name] if name in there else []
    while edge:
        here = there[edge.pop()]
        near = [n for n, p in there.items() if n not in group and np.linalg.norm(p[:2] - here[:2]) < NEAR_DISTANCE]
        group |= set(near)
        edge += near
    return group
