# SPDX-License-Identifier: Apache-2.0
"""What a person or an accident does to the table in the middle of a task. The same seed draws the same disturbance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vla_sim.world.scene import BLOCK_HALF, BLOCKS, BOWL
from vla_sim.world.world import World

Array = NDArray[np.float64]
KINDS = ("move", "slip", "add", "remove")
_CLEAR, _CLEAR_OF_BOWL, _CLEAR_OF_HAND = 0.10, 0.13, 0.12  # [m] between a new place and what is there
_TRIES = 300


class DisturbanceError(ValueError):
    """The disturbance makes no sense on this table; the text says what was received and what is valid."""


def disturb(world: World, kind: str, name: str = "", seed: int = 0) -> str:
    """Disturb the table; returns what was done.

    Args:
        world: the table; its robot is not moved.
        kind: move a block to another place, let one slip from the hand, add an absent one, or remove one.
        name: of a block; empty: drawn among those for which the kind makes sense.
        seed: of what is drawn.

    Raises:
        DisturbanceError: unknown kind or block, or no block for which it makes sense; nothing was changed.
    """
    if kind not in KINDS:
        raise DisturbanceError(f"kind is {kind!r}; valid: {', '.join(KINDS)}")
    if name and name not in BLOCKS:
        raise DisturbanceError(f"object is {name!r}; valid: {', '.join(BLOCKS)}, or empty")
    rng = np.random.default_rng([seed, 31])
    fit = candidates(world, kind)
    if not fit or (name and name not in fit):
        raise DisturbanceError(f"{kind} of {name or 'any block'} makes no sense now; valid: {', '.join(fit) or 'none'}")
    chosen = name or str(rng.choice(fit))
    if kind == "remove":
        world.remove(chosen)
        return f"the {chosen} was taken away"
    x, y = _beside_hand(world, rng) if kind == "slip" else _free_place(world, chosen, rng)
    world.place(chosen, (x, y, BLOCK_HALF + 0.001), float(rng.uniform(-0.3, 0.3)))
    did = {"move": "was moved", "slip": "slipped out of the hand", "add": "was added"}[kind]
    return f"the {chosen} {did} to x {x:.2f}, y {y:.2f} m"


def candidates(world: World, kind: str) -> tuple[str, ...]:
    """Return the blocks for which a kind makes sense now."""
    there = world.objects()
    held = tuple(name for name in BLOCKS if name in there and _held(world, name))
    return {
        "move": tuple(name for name in BLOCKS if name in there and name not in held),
        "slip": held,
        "add": tuple(name for name in BLOCKS if name not in there),
        "remove": tuple(name for name in BLOCKS if name in there and name not in held),
    }[kind]


def _held(world: World, name: str) -> bool:
    near = float(np.linalg.norm(world.object_pose(name)[:3] - world.tcp_pose()[:3])) < 0.03
    return near and world.touching_fingers(name)


def _beside_hand(world: World, rng: np.random.Generator) -> tuple[float, float]:
    """Draw where a block that slips comes to rest: near the hand, on free table."""
    hand = world.tcp_pose()
    for _ in range(_TRIES):
        angle, distance = rng.uniform(0, 2 * math.pi), rng.uniform(0.06, 0.14)
        x, y = float(hand[0] + distance * math.cos(angle)), float(hand[1] + distance * math.sin(angle))
        if _within(world, x, y) and _is_free(world, "", x, y, 0.0):
            return x, y
    return _free_place(world, "", rng)


def _free_place(world: World, name: str, rng: np.random.Generator) -> tuple[float, float]:
    robot = world.robot
    for _ in range(_TRIES):
        x = float(robot.table_center_x + rng.uniform(-robot.reach_x, robot.reach_x))
        y = float(rng.uniform(-robot.reach_y, robot.reach_y))
        if _is_free(world, name, x, y, _CLEAR_OF_HAND):
            return x, y
    raise DisturbanceError("no free place was found on the table; valid with fewer objects")


def _within(world: World, x: float, y: float) -> bool:
    robot = world.robot
    return abs(x - robot.table_center_x) <= robot.reach_x and abs(y) <= robot.reach_y


def _is_free(world: World, name: str, x: float, y: float, of_hand: float) -> bool:
    hand = world.tcp_pose()
    if math.hypot(x - hand[0], y - hand[1]) < of_hand:
        return False
    for other, pose in world.objects().items():
        clear = _CLEAR_OF_BOWL if other == BOWL else _CLEAR
        if other != name and not _held(world, other) and math.hypot(x - pose[0], y - pose[1]) < clear:
            return False
    return True
