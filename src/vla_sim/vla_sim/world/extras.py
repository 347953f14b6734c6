# SPDX-License-Identifier: Apache-2.0
"""Where things lie on a table that is laid already: beside the task's objects, never in the task's way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vla_sim.world.layout import Layout, feasible
from vla_sim.world.robots import SimRobot
from vla_sim.world.scene import BOWL
from vla_sim.world.things import OCCLUDER, THINGS

Spots = dict[str, tuple[float, float, float]]
_MARGIN = (0.05, 0.05)  # [m] beyond the area of the task's objects, along x and y, within the front camera's picture
_GAP = 0.008  # [m] between two things
_FINGERS = 0.052  # [m] from a block's axis that stay free for the fingers, which open along y
_BOWL = 0.075
_BEFORE_BLOCK = 0.068  # [m] from the block to the thing that hides part of it
_TRIES = 120


def add_things(robot: SimRobot, layout: Layout, things: Sequence[str], rng: np.random.Generator) -> Layout | None:
    """Return the layout with `things` on it; the task stays possible. None where there is no room.

    The tall can comes to stand between the camera and the task's block.
    """
    objects: Spots = dict(layout.objects)
    for name in sorted(things, key=lambda each: (each != OCCLUDER, -THINGS[each].radius)):
        spot = _spot(robot, layout, objects, name, rng)
        if spot is None:
            return None
        objects[name] = spot
    return replace(layout, objects=objects)


def _spot(
    robot: SimRobot, layout: Layout, objects: Spots, name: str, rng: np.random.Generator
) -> tuple[float, float, float] | None:
    for _ in range(_TRIES):
        if name == OCCLUDER:
            block = objects[layout.task.object]
            x, y = block[0] + _BEFORE_BLOCK, block[1] + float(rng.uniform(-0.008, 0.008))
        else:
            x = robot.table_center_x + float(rng.uniform(-1, 1)) * (robot.reach_x + _MARGIN[0])
            y = float(rng.uniform(-1, 1)) * (robot.reach_y + _MARGIN[1])
        spot = (x, y, float(rng.uniform(-0.3, 0.3)))
        if _is_free(name, spot, objects) and _leaves_the_task(robot, layout, objects | {name: spot}):
            return spot
    return None


def _leaves_the_task(robot: SimRobot, layout: Layout, objects: Spots) -> bool:
    if layout.task.family == "push":  # the can stands beside the lane, clear of the fingers, which push along y
        objects = {name: spot for name, spot in objects.items() if name != OCCLUDER}
    return feasible(robot, layout.task, objects)


def _is_free(name: str, spot: tuple[float, float, float], objects: Spots) -> bool:
    return all(
        math.hypot(spot[0] - x, spot[1] - y) > THINGS[name].radius + _radius(other, name)
        for other, (x, y, _) in objects.items()
    )


def _radius(other: str, beside: str) -> float:
    """How far [m] a thing keeps from the axis of what lies there already."""
    if other in THINGS:
        return THINGS[other].radius + _GAP
    if other == BOWL:
        return _BOWL
    return 0.045 if beside == OCCLUDER else _FINGERS
