# SPDX-License-Identifier: Apache-2.0
"""A goal on a table: its stages as steps whose outcomes have to hold, checked for absence and contradiction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vla_planner.errors import GoalError
from vla_planner.planner import Attempt
from vla_planner.scene import Scene
from vla_planner.symbols.wishes import GATHER, Stage, Wish
from vla_planner.vocabulary import NEAR, PICK, PLACE, PUSH, TABLETOP, Step

_SPOT_CLEARANCE = 0.06  # [m] from a spot beside a block within which another block is in the way
_SPOT = 0.075  # [m] beside a block, towards the robot: where the policy sets an object down
Steps = tuple[Step, ...]


def resolve(stages: Sequence[Stage], scene: Scene) -> tuple[Steps, ...]:
    """Return each stage's steps on this table.

    Raises:
        GoalError: a stage names an absent object, contradicts itself, or asks for an unknown step.
    """
    resolved = tuple(_resolve_stage(stage, scene) for stage in stages)
    for steps in resolved:
        _refuse_contradiction(steps)
    return resolved


def _resolve_stage(stage: Stage, scene: Scene) -> Steps:
    return tuple(dict.fromkeys(step for wish in stage for step in _steps_of(wish, scene)))


def _steps_of(wish: Wish, scene: Scene) -> Iterator[Step]:
    movable = tuple(name for name in TABLETOP.movable if name in scene.names)
    names = wish.objects.resolve(movable)
    if not names:
        raise GoalError(f"there is nothing to {wish.family}; on the table: {_there(scene)}")
    if wish.family == GATHER:
        _refuse_absent((wish.target,), scene)
        yield from gather(tuple(name for name in names if name != wish.target), wish.target, scene)
        return
    if wish.family == PUSH and not wish.objects.everything and len(names) > 1:
        names = tuple(name for name in names if name in scene.names) or names  # a group, as the warm colours
    _refuse_absent(names, scene)
    for name in names:
        if name == wish.target:
            if wish.objects.everything:
                continue
            raise GoalError(f"the {name} cannot be next to itself; valid: another block")
        if wish.target not in TABLETOP.targets(wish.family, name):
            valid = ", ".join(TABLETOP.targets(wish.family, name))
            where = wish.target or "nothing"
            raise GoalError(f"{wish.family} with target {where!r} is no step of the policy; valid targets: {valid}")
        if wish.target in TABLETOP.objects:
            _refuse_absent((wish.target,), scene)
        yield Step(wish.family, name, wish.target)


def gather(names: Sequence[str], center: str, scene: Scene) -> Iterator[Step]:
    """Yield a step for each block: next to one of the group whose free side is not taken."""
    group, left = [center], list(names)
    for name in [n for n in names if any(scene.next_to(n, m) for m in group)]:
        group.append(name)
        left.remove(name)
        neighbour = next(m for m in group if scene.next_to(name, m))
        yield Step(NEAR, name, neighbour)
    for name in left:
        target = next((member for member in group if _free_side(member, name, scene)), center)
        yield Step(NEAR, name, target)


def _free_side(member: str, name: str, scene: Scene) -> bool:
    x, y, _ = scene.objects[member].position
    others = [seen.position for other, seen in scene.objects.items() if other not in (member, name)]
    return all((ox - x + _SPOT) ** 2 + (oy - y) ** 2 > _SPOT_CLEARANCE**2 for ox, oy, _ in others)


def _refuse_absent(names: Sequence[str], scene: Scene) -> None:
    absent = [name for name in names if name not in scene.names]
    if absent:
        raise GoalError(f"the {' and the '.join(absent)} is not on the table; there: {_there(scene)}")


def _there(scene: Scene) -> str:
    return ", ".join(scene.names) or "nothing"


def _refuse_contradiction(steps: Steps) -> None:
    """Raise GoalError where one stage wants an object at two places, or next to what goes elsewhere."""
    places: dict[str, Step] = {}
    for step in steps:
        other = places.setdefault(step.object, step)
        both = {other.family, step.family}
        if other != step and (both != {NEAR} and NEAR not in both):
            raise GoalError(
                f"the goal contradicts itself: {other} and {step}; valid: one of them, or 'first ..., then ...'"
            )
    for step in steps:
        if step.family == NEAR and step.target in places and places[step.target].family in (PLACE, PICK):
            raise GoalError(f"the goal contradicts itself: {step} while {places[step.target]}")
        if step.family == NEAR and step.object in places and places[step.object].family in (PLACE, PICK):
            raise GoalError(f"the goal contradicts itself: {step} and {places[step.object]}")


def unmet(stages: Sequence[Steps], history: Sequence[Attempt], scene: Scene) -> tuple[Steps, ...]:
    """Return for each stage the steps that are still to be done.

    What was done counts as reached although it does not hold any more, where it was a pick or a later stage moves what
    it is about.
    """
    done = {attempt.step for attempt in history if attempt.verdict is not None and attempt.verdict.holds}
    left: list[Steps] = []
    for index, steps in enumerate(stages):
        moved_later = {step.object for later in stages[index + 1 :] for step in later}
        left.append(tuple(step for step in steps if not _reached(step, done, moved_later, scene)))
    first = next((index for index, steps in enumerate(left) if steps), len(left))
    moved = {step.object for step in (left[first] if first < len(left) else ())}
    for index in range(first + 1, len(left)):  # what an earlier step is going to undo has to be done after it
        left[index] = tuple(step for step in stages[index] if step in left[index] or step.object in moved)
        moved |= {step.object for step in left[index]}
    return tuple(left)


def _reached(step: Step, done: set[Step], moved_later: set[str], scene: Scene) -> bool:
    if step in done and (step.family == PICK or moved_later & {step.object, step.target}):
        return True
    return scene.holds(step)
