# SPDX-License-Identifier: Apache-2.0
"""Random layouts of the table: which task, which objects, where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_sim.task.task import FAMILIES, SIDES, Task, TaskError
from vla_sim.world.robots import SimRobot
from vla_sim.world.scene import BLOCK_HALF, BLOCKS, BOWL, DISTRACTORS
from vla_sim.world.things import THINGS
from vla_sim.world.world import World

Array = NDArray[np.float64]
_TRIES = 150  # a set of objects that has found no room by then is too large for this table
_SETS = 40
_RADIUS = {BOWL: 0.075}  # other objects: half the distance that a finger needs between two blocks
_BLOCK_RADIUS = 0.05
LOW_HAND = 0.15  # [m] below this the open fingers could meet what lies on the table
_CLEAR_OF_HIGH_HAND = 0.08  # [m] from the hand's axis
_CLEAR_OF_LOW_HAND = {BOWL: 0.14}  # the open fingers of the FR3 reach its rim up to 13.5 cm from the hand's axis
_BLOCK_CLEAR_OF_LOW_HAND = 0.09


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each object lies: name -> (x, y, yaw) in the base frame [m, rad]."""

    task: Task
    objects: dict[str, tuple[float, float, float]]

    def apply(self, world: World) -> None:
        """Lay the table. The robot is not moved."""
        world.park_all()
        for name, (x, y, yaw) in self.objects.items():
            world.place(name, (x, y, _resting_height(name)), yaw)


def _resting_height(name: str) -> float:
    """Height [m] at which an object's origin is put down."""
    known = {BOWL: 0.001, "grey can": 0.031, "brown ball": 0.015}
    return THINGS[name].resting_z if name in THINGS else known.get(name, BLOCK_HALF + 0.001)


def sample_task(rng: np.random.Generator, family: str | None = None) -> Task:
    """A random task, of the given family if one is named."""
    family = family or str(rng.choice(FAMILIES))
    block, other = (str(name) for name in rng.choice(BLOCKS, 2, replace=False))
    target = {"pick": "", "place": BOWL, "near": other, "push": str(rng.choice(list(SIDES)))}.get(family)
    if target is None:
        raise TaskError(f"unknown family {family!r}; valid: {', '.join(FAMILIES)}")
    return Task(family, block, target)


def sample_layout(robot: SimRobot, task: Task, rng: np.random.Generator, keep_clear: Array | None = None) -> Layout:
    """Two to four blocks, the bowl, up to one distractor, so that the task is not yet done and can be done.

    `keep_clear` (2,) or (3,): where the hand is [m]; without height it counts as low. The open fingers of a low hand
    touch nothing, and no object is within 8 cm of the axis of a high one.
    """
    for _ in range(_SETS):
        names = _choose_objects(task, rng)
        for _ in range(_TRIES):
            objects = scatter(robot, names, rng, keep_clear)
            if objects is not None and feasible(robot, task, objects):
                return Layout(task, objects)
    raise RuntimeError(f"no layout found for {task} in {_SETS * _TRIES} tries")  # pragma: no cover


def _choose_objects(task: Task, rng: np.random.Generator) -> list[str]:
    names = [task.object] + ([task.target] if task.target in BLOCKS else [])
    others = [str(name) for name in rng.permutation(BLOCKS) if name not in names]
    names += others[: max(0, int(rng.integers(2, 5)) - len(names))]
    if task.family == "place" or rng.random() < 0.7:
        names.insert(0, BOWL)
    if rng.random() < 0.4:
        names.append(str(rng.choice(DISTRACTORS)))
    return names


def scatter(
    robot: SimRobot, names: Sequence[str], rng: np.random.Generator, keep_clear: Array | None = None
) -> dict[str, tuple[float, float, float]] | None:
    """Return a random pose (x, y, yaw) [m, rad] for each object, well apart; None where one found no room."""
    placed: dict[str, tuple[float, float, float]] = {}
    for name in names:
        for _ in range(40):
            x = robot.table_center_x + rng.uniform(-robot.reach_x, robot.reach_x)
            y = rng.uniform(-robot.reach_y, robot.reach_y)
            if keep_clear is not None and math.hypot(x - keep_clear[0], y - keep_clear[1]) < _clearance(
                name, keep_clear
            ):
                continue
            if all(math.hypot(x - ox, y - oy) > _separation(name, other) for other, (ox, oy, _) in placed.items()):
                placed[name] = (float(x), float(y), float(rng.uniform(-0.3, 0.3)))
                break
        else:
            return None
    return placed


def _clearance(name: str, hand: Array) -> float:
    """How near [m] to the hand's axis an object may lie."""
    if len(hand) > 2 and hand[2] > LOW_HAND:
        return _CLEAR_OF_HIGH_HAND
    return _CLEAR_OF_LOW_HAND.get(name, _BLOCK_CLEAR_OF_LOW_HAND)


def _separation(a: str, b: str) -> float:
    return _RADIUS.get(a, _BLOCK_RADIUS) + _RADIUS.get(b, _BLOCK_RADIUS)


def feasible(robot: SimRobot, task: Task, objects: dict[str, tuple[float, float, float]]) -> bool:
    """Whether nothing is in the way of a task among objects that lie at (x, y, yaw) [m, rad]."""
    x, y, _ = objects[task.object]
    others = [np.array(pose[:2]) for name, pose in objects.items() if name != task.object]
    if task.family == "near":
        target = np.array(objects[task.target][:2])
        spot = near_spot(target[None], robot)[0]
        clear = all(np.linalg.norm(o - spot) > 0.10 for o in others if not np.array_equal(o, target))
        return bool(np.hypot(*(target - (x, y))) > 0.15) and clear and bool(spot[0] < target[0])
    if task.family == "push":
        sign = SIDES[task.target]
        if sign * y > robot.side_line_y - 0.09:
            return False
        ahead = [o for o in others if abs(o[0] - x) < 0.09 and sign * (o[1] - y) > -0.12]
        return not ahead and not (BOWL in objects and _bowl_behind(x, y, sign, objects[BOWL]))
    return True


def _bowl_behind(x: float, y: float, sign: float, bowl: tuple[float, float, float]) -> bool:
    """Whether the bowl's wall is where the fingers go down to push a block at (x, y)."""
    return abs(bowl[0] - x) < 0.09 and -0.19 < sign * (bowl[1] - y) < 0.0


def near_spot(target: Array, robot: SimRobot) -> Array:
    """Where to set an object down next to `target` (n, 2): 7.5 cm towards the robot, else 7.5 cm away from it.

    On the robot's side the hand does not hide the target from the front camera, but the spot has to lie where objects
    are laid.
    """
    inside = target[:, 0] - 0.075 >= robot.table_center_x - robot.reach_x
    return np.asarray(target + np.stack([np.where(inside, -0.075, 0.075), np.zeros(len(target))], axis=1))
