# SPDX-License-Identifier: Apache-2.0
"""SayCan's score: p(useful for the goal) x p(can be done now), the latter from the symbols."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vla_planner.planner import Attempt, Verdict
from vla_planner.scene import Scene
from vla_planner.vocabulary import NEAR, PICK, PLACE, PUSH, TABLETOP, Step

SUCCESS = {PICK: 1.0, PLACE: 1.0, NEAR: 0.92, PUSH: 1.0}  # of the shipped RT-1, as its card says
_SPOT = 0.075  # [m] beside a block, towards the robot: where the policy sets an object down
_SPOT_ROOM, _BOWL_ROOM = 0.07, 0.12  # [m] that such a spot needs
_NEAREST = 0.2  # [m] from the base along x, at least
_CLOSE = 0.06  # [m] between centres: the fingers do not fit between
_ABOVE = 0.03  # [m] higher by which a block lies on another in a stack
_LANE = 0.09  # [m] half width of the way of a pushed block


def can(scene: Scene, step: Step, history: Sequence[Attempt] = ()) -> Verdict:
    """Return whether a step can be done now, with the probability that it succeeds as confidence of holding."""
    missing = TABLETOP.absent(step, scene.names)
    if missing:
        return Verdict(False, 0.95, f"the {missing[0]} is not there")
    if scene.holds(step):
        return Verdict(False, 0.9, f"the {step.object} is so already")
    upper = _on_top(scene, step.object)
    if upper:
        return Verdict(False, 0.9, f"the {upper} lies on the {step.object}")
    if step.family in (NEAR, PLACE) and step.target in TABLETOP.movable and scene.inside(step.target, "bowl"):
        return Verdict(False, 0.9, f"the {step.target} is in the bowl")
    if step.family == PUSH and scene.inside(step.object, "bowl"):
        return Verdict(False, 0.9, f"the {step.object} is in the bowl")
    chance, reason = SUCCESS[step.family], "all that it needs is there"
    crowd = [name for name in scene.names if name != step.object and _crowds(scene, step.object, name)]
    if crowd:
        chance, reason = 0.8 * chance, f"the {crowd[0]} is close to it"
    if step.family == PUSH and _obstacle(scene, step):
        chance, reason = 0.6 * chance, f"the {_obstacle(scene, step)} is in its way"
    failed = sum(a.step == step and a.verdict is not None and not a.verdict.holds for a in history)
    return Verdict(True, chance * 0.7**failed, reason)


def score(scene: Scene, step: Step, stage: Sequence[Step], history: Sequence[Attempt]) -> float:
    """Return p(useful) x p(can): a step whose target another step moves is of use only after that one."""
    verdict = can(scene, step, history)
    useful = 0.3 if any(other.object == step.target for other in stage) else 1.0
    useful *= 0.9 if scene.held and scene.held != step.object else 1.0
    return useful * (verdict.confidence if verdict.holds else 0.05)


def instead(scene: Scene, step: Step, history: Sequence[Attempt]) -> Step:
    """Return another step to the same end where one has failed.

    Instead of a push: next to a block that is on that side already. Instead of next to a block without room beside it:
    that block next to this one.
    """
    failed = sum(a.step == step and a.verdict is not None and not a.verdict.holds for a in history)
    if failed and step.family == NEAR:
        swapped = Step(NEAR, step.target, step.object)
        return swapped if not _room(scene, step) and _room(scene, swapped) else step
    if step.family != PUSH or not failed:
        return step
    for other in scene.names:
        there = other != step.object and other in TABLETOP.movable and scene.side(other) == step.target
        if (
            there
            and not scene.inside(other, "bowl")
            and not any(_crowds(scene, other, n) for n in scene.names if n != other)
        ):
            return Step(NEAR, step.object, other)
    return step


def _room(scene: Scene, step: Step) -> bool:
    """Whether the spot beside a target, towards the robot, is free."""
    x, y, _ = scene.objects[step.target].position
    free = [n for n in scene.names if n not in (step.object, step.target)]
    spots = ((scene.objects[n].position, _BOWL_ROOM if n == "bowl" else _SPOT_ROOM) for n in free)
    return x - _SPOT > _NEAREST and all(math.dist(p[:2], (x - _SPOT, y)) > room for p, room in spots)


def _on_top(scene: Scene, name: str) -> str:
    mine = scene.objects[name].position
    for other in scene.names:
        if other in (name, "bowl", scene.held):
            continue
        theirs = scene.objects[other].position
        if theirs[2] - mine[2] > _ABOVE and math.dist(mine[:2], theirs[:2]) < 0.03:
            return other
    return ""


def _crowds(scene: Scene, name: str, other: str) -> bool:
    return other != "bowl" and scene.distance(name, other) < _CLOSE


def _obstacle(scene: Scene, step: Step) -> str:
    x, y, _ = scene.objects[step.object].position
    sign = 1.0 if step.target == "left" else -1.0
    for other, seen in scene.objects.items():
        ahead = sign * (seen.position[1] - y)
        if other != step.object and abs(seen.position[0] - x) < _LANE and 0.0 < ahead < 0.2:
            return other
    return ""
