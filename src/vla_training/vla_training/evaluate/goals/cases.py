# SPDX-License-Identifier: Apache-2.0
"""Cases: a goal in words, a table, the steps of an ideal plan, and what has to be true in the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from vla_planner.vocabulary import NEAR, PLACE, PUSH, Step
from vla_sim.task.task import Task, TaskError
from vla_sim.world.layout import Layout, near_spot, scatter
from vla_sim.world.robots import SimRobot
from vla_sim.world.scene import BLOCKS, BOWL

from vla_training.evaluate.goals.truth import GROUP, IN, NEXT_TO, ON, Condition, parse_condition

WARM, COLD = ("red block", "yellow block"), ("green block", "blue block", "purple block")
_BOWL_LANE = 0.10  # [m] along x between the bowl and a block that is to be pushed past it
_APART = 0.15  # [m] between a block and the one that it is to stand next to
_BOWL_ROOM = 0.13  # [m] between the bowl and a spot where a block is to be set down
_EASILY = 1_000  # tables drawn for a case before it is dropped
LENGTHS: Mapping[str, tuple[int, int]] = {"3-5": (3, 5), "6-10": (6, 10), "11-20": (11, 20)}


@dataclass(frozen=True, slots=True)
class GoalCase:
    """One goal. steps: an ideal plan in order; ordered: whether the goal asks for that order; done: at the end."""

    goal: str
    blocks: tuple[str, ...]
    steps: tuple[Step, ...]
    done: tuple[Condition, ...]
    ordered: bool = False
    kind: str = ""

    @property
    def length(self) -> str:
        """The bin of LENGTHS that the number of steps falls into; empty where unknown."""
        n = len(self.steps)
        return next((name for name, (low, high) in LENGTHS.items() if low <= n <= high), str(n) if n else "")


def sample_case(rng: np.random.Generator, length: str, robot: SimRobot) -> GoalCase:
    """Return a random goal of a length in LENGTHS, for which a table is easily found."""
    while True:
        case = _draw_case(rng, length)
        with suppress(TaskError):
            lay_case(case, robot, rng, _EASILY)
            return case


def _draw_case(rng: np.random.Generator, length: str) -> GoalCase:
    if length == "3-5":
        kinds = (_all_in_bowl, _all_but, _two_then_near, _sort, _gather, _chain_short)
        return kinds[int(rng.integers(len(kinds)))](rng)
    low, high = LENGTHS[length]
    return _chain(rng, int(rng.integers(low, high + 1)))


def load_cases(path: Path) -> tuple[GoalCase, ...]:
    """Return the caller's goals of a YAML file: a list of {goal, done: [conditions]}. Raises TaskError."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise TaskError(f"goals file {path}: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise TaskError(f"goals file {path}: valid is a list of {{goal, done: [conditions]}}")
    return tuple(_loaded(entry, path) for entry in entries)


def _loaded(entry: object, path: Path) -> GoalCase:
    if not isinstance(entry, dict) or not isinstance(entry.get("goal"), str) or not isinstance(entry.get("done"), list):
        raise TaskError(f"goals file {path}: entry {str(entry)[:80]!r}; valid is {{goal, done: [conditions]}}")
    done = tuple(parse_condition(str(text)) for text in entry["done"])
    words = entry["goal"].lower()
    named = {name for name in BLOCKS if name.split()[0] in words}
    named |= {name for c in done for name in (c.object, c.target, *c.but) if name in BLOCKS}
    return GoalCase(entry["goal"], tuple(sorted(named)), (), done, kind="own")


def lay_case(case: GoalCase, robot: SimRobot, rng: np.random.Generator, tries: int = 20_000) -> Layout:
    """Return a table for a case: its blocks, others up to four, and the bowl, well apart.

    Raises TaskError where none is found in `tries` draws.
    """
    others = [str(name) for name in rng.permutation(BLOCKS) if name not in case.blocks]
    blocks = list(case.blocks)
    if case.kind == "own":
        blocks += others[: max(0, 4 - len(blocks))]
    needs_bowl = case.kind != "sort"
    for _ in range(tries):
        objects = scatter(robot, [BOWL, *blocks] if needs_bowl else blocks, rng)
        if objects is not None and _fits(case, objects, robot):
            return Layout(Task("pick", blocks[0]), objects)
    raise TaskError(f"no table was found for {case.goal!r}; valid with fewer objects")


def _fits(case: GoalCase, objects: Mapping[str, tuple[float, float, float]], robot: SimRobot) -> bool:
    """Whether steps with objects that lie as laid can be done: lanes free of lines and bowl, room beside targets."""
    moved: set[str] = set()
    for step in case.steps:
        as_laid = not moved & {step.object, step.target}
        moved.add(step.object)
        if not as_laid:
            continue
        if step.family == NEAR and not _has_room(step, objects, robot):
            return False
        if step.family != PUSH:
            continue
        x, y, _ = objects[step.object]
        if abs(y) > robot.side_line_y - 0.03 or (BOWL in objects and abs(objects[BOWL][0] - x) < _BOWL_LANE):
            return False
    return True


def _has_room(step: Step, objects: Mapping[str, tuple[float, float, float]], robot: SimRobot) -> bool:
    """Whether the spot beside a target, where the policy sets objects down, is on the table and free of the bowl."""
    target = np.array(objects[step.target][:2])
    if np.hypot(*(target - objects[step.object][:2])) < _APART:
        return False
    spot = near_spot(target[None], robot)[0]
    inside = bool(spot[0] < objects[step.target][0])
    return inside and (BOWL not in objects or float(np.hypot(*(spot - objects[BOWL][:2]))) > _BOWL_ROOM)


def _draw(rng: np.random.Generator, low: int, high: int) -> tuple[str, ...]:
    return tuple(str(name) for name in rng.permutation(BLOCKS)[: rng.integers(low, high + 1)])


def _all_in_bowl(rng: np.random.Generator) -> GoalCase:
    blocks = _draw(rng, 3, 5)
    words = ("put all the blocks in the bowl", "clear the table", "put everything in the bowl")
    steps = tuple(Step(PLACE, name, BOWL) for name in blocks)
    return GoalCase(str(rng.choice(words)), blocks, steps, (Condition("all blocks", IN, BOWL),), kind="all")


def _all_but(rng: np.random.Generator) -> GoalCase:
    blocks = _draw(rng, 4, 5)
    spared = blocks[0]
    words = ("put everything but the {} in the bowl", "clear the table, except for the {}")
    goal = str(rng.choice(words)).format(spared)
    done = (Condition("all blocks", IN, BOWL, (spared,)), Condition(spared, "not in", BOWL))
    return GoalCase(goal, blocks, tuple(Step(PLACE, name, BOWL) for name in blocks[1:]), done, kind="all but")


def _two_then_near(rng: np.random.Generator) -> GoalCase:
    a, b, c, d = blocks = _draw(rng, 4, 4)
    goal = f"put the {a} and the {b} in the bowl, then move the {c} next to the {d}"
    steps = (Step(PLACE, a, BOWL), Step(PLACE, b, BOWL), Step(NEAR, c, d))
    done = (Condition(a, IN, BOWL), Condition(b, IN, BOWL), Condition(c, NEXT_TO, d))
    return GoalCase(goal, blocks, steps, done, kind="two then near")


def _sort(rng: np.random.Generator) -> GoalCase:
    blocks = _draw(rng, 3, 4)
    steps = tuple(Step(PUSH, name, "left" if name in WARM else "right") for name in blocks)
    done = tuple(Condition(step.object, ON, step.target) for step in steps)
    words = (
        "move the warm colours to the left and push the cold colours to the right",
        "sort the blocks by warm and cold",
    )
    return GoalCase(str(rng.choice(words)), blocks, steps, done, kind="sort")


def _gather(rng: np.random.Generator) -> GoalCase:
    center, *others = blocks = _draw(rng, 4, 4)
    steps = tuple(Step(NEAR, name, center) for name in others)
    goal = f"gather all the blocks around the {center}"
    return GoalCase(goal, blocks, steps, (Condition("all blocks", GROUP, center),), kind="gather")


def _chain_short(rng: np.random.Generator) -> GoalCase:
    return _chain(rng, int(rng.integers(3, 6)))


def _chain(rng: np.random.Generator, length: int) -> GoalCase:
    """Return a chain of pushes, moves and, towards the end, placements, in a given order."""
    blocks = _draw(rng, 4, 5)
    placements = min(len(blocks) - 1, max(1, length // 3))
    side: dict[str, str] = {}
    steps: list[Step] = []
    while len(steps) < length - placements:
        steps.append(_next_in_chain(rng, blocks, side, steps))
    for name in rng.permutation(blocks)[:placements]:
        steps.append(Step(PLACE, str(name), BOWL))
    words = [step.text for step in steps]
    goal = f"first {words[0]}, then {', then '.join(words[1:])}"
    return GoalCase(goal, blocks, tuple(steps), _final(steps), ordered=True, kind="chain")


def _next_in_chain(rng: np.random.Generator, blocks: tuple[str, ...], side: dict[str, str], steps: list[Step]) -> Step:
    last = steps[-1].object if steps else ""
    name = str(rng.choice([block for block in blocks if block != last]))
    free = [block for block in blocks if block != name and block not in side]
    if free and rng.random() < 0.3:
        side.pop(name, None)
        return Step(NEAR, name, str(rng.choice(free)))
    side[name] = {"left": "right", "right": "left"}.get(side.get(name, ""), str(rng.choice(("left", "right"))))
    return Step(PUSH, name, side[name])


def _final(steps: list[Step]) -> tuple[Condition, ...]:
    """Return what has to hold at the end: outcomes that no later step is to change."""
    done: list[Condition] = []
    make: Mapping[str, Callable[[Step], Condition]] = {
        PLACE: lambda s: Condition(s.object, IN, s.target),
        NEAR: lambda s: Condition(s.object, NEXT_TO, s.target),
        PUSH: lambda s: Condition(s.object, ON, s.target),
    }
    for index, step in enumerate(steps):
        moved = {later.object for later in steps[index + 1 :]}
        if not moved & {step.object, step.target}:
            done.append(make[step.family](step))
    return tuple(done)
