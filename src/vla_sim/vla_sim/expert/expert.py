# SPDX-License-Identifier: Apache-2.0
"""The scripted expert: a function of what a camera and the gripper can show, with no memory.

Because it has no hidden counters, any frame can be labelled for any task, which is what the demonstrations need
(and what DAgger needs). Batched: every argument has a leading dimension n. Lengths in [m], base frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_sim.task.task import SIDES, Task
from vla_sim.world.layout import near_spot
from vla_sim.world.robots import SimRobot
from vla_sim.world.scene import BLOCKS, BOWL

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MAX_STEP = 0.05  # longest translation of one step
GRASP_Z = 0.02  # tool height for grasping and pushing
HOVER_Z = 0.13  # open fingers clear a block
CARRY_Z = 0.16  # a held block clears the bowl
RELEASE_Z = 0.095  # above the bowl
LIFT_Z = 0.20
HELD_WIDTH = (0.030, 0.047)  # pad distance when a block is held
OPEN_WIDTH = 0.08
WIDTH_STEP = 0.03  # by which the fingers close or open in one step
CLEAR_WIDTH = 0.06  # the pads are off a block again


@dataclass(frozen=True, slots=True)
class ExpertState:
    """What the expert looks at. Objects that are not on the table lie below z = 0."""

    tcp: Array  # (n, 3)
    width: Array  # (n,) distance between the pads
    blocks: Array  # (n, len(BLOCKS), 3) in the order of scene.BLOCKS
    bowl: Array  # (n, 3)


@dataclass(frozen=True, slots=True)
class ExpertAction:
    """One step for each row."""

    translation: Array  # (n, 3)
    opening: Array  # (n,) 0 closed, 1 open
    done: Mask  # (n,) the task is finished: the arm may stay


def expert_action(state: ExpertState, task: Task, robot: SimRobot) -> ExpertAction:
    """What to do next for `task` in each of the n states."""
    obj = state.blocks[:, BLOCKS.index(task.object)]
    steps = {"pick": _pick, "place": _place, "near": _near, "push": _push}
    goal, opening, done = steps[task.family](state, obj, task, robot)
    goal, opening = _drop_wrong_block(state, obj, goal, opening, done)
    translation = _limited(state.tcp, goal)
    translation[done & (np.linalg.norm(translation, axis=1) < 0.02)] = 0.0
    return ExpertAction(translation, opening, done)


def _in_hand(state: ExpertState, obj: Array) -> Mask:
    offset = np.abs(state.tcp - obj)
    narrow = (state.width > HELD_WIDTH[0]) & (state.width < HELD_WIDTH[1])
    height = np.where(narrow, 0.025, 0.008)
    return (offset[:, 0] < 0.017) & (offset[:, 1] < 0.022) & (offset[:, 2] < height)


def _holding(state: ExpertState, obj: Array) -> Mask:
    return _in_hand(state, obj) & (state.width > HELD_WIDTH[0]) & (state.width < HELD_WIDTH[1])


def _descend(state: ExpertState, spot: Array, low: float | Array, high: float, tight: float = 0.008) -> Array:
    """Goal (n, 3) over `spot` (n, 2): the height is a funnel, `low` within `tight` of the spot, `high` far from it."""
    distance = np.linalg.norm(state.tcp[:, :2] - spot, axis=1)
    height = low + np.clip((distance - tight) * 4.0, 0.0, high - low)
    return np.concatenate([spot, height[:, None]], axis=1)


def _above(state: ExpertState, height: float) -> Array:
    """Goal straight above the tool."""
    return np.concatenate([state.tcp[:, :2], np.full((len(state.tcp), 1), height)], axis=1)


def _choose(mask: Mask, yes: Array, no: Array) -> Array:
    return np.where(mask[:, None] if yes.ndim == 2 else mask, yes, no)


def _approach(state: ExpertState, obj: Array) -> tuple[Array, Array]:
    """Goal and opening that lead to a grasp; close as soon as the block is between the pads."""
    in_hand = _in_hand(state, obj)
    low = np.maximum(obj[:, 2], GRASP_Z)
    reach = _descend(state, obj[:, :2], low, HOVER_Z)
    return _choose(in_hand, state.tcp, reach), np.where(in_hand, 0.0, 1.0)


def _pick(state: ExpertState, obj: Array, task: Task, robot: SimRobot) -> tuple[Array, Array, Mask]:
    goal, opening = _approach(state, obj)
    holding = _holding(state, obj)
    goal = _choose(holding, _above(state, LIFT_Z), goal)
    return goal, opening, holding & (state.tcp[:, 2] > LIFT_Z - 0.03)


def _set_down(
    state: ExpertState, obj: Array, spot: Array, low: float, in_goal: Mask, tight: float = 0.01
) -> tuple[Array, Array, Mask]:
    """Grasp, carry to `spot` (n, 2), go down within `tight` of it, open at height `low`, rise."""
    goal, opening = _approach(state, obj)
    holding = _holding(state, obj)
    goal = _choose(holding, _descend(state, spot, low, CARRY_Z, tight=tight), goal)
    over_spot = np.linalg.norm(obj[:, :2] - spot, axis=1) < 0.022
    release = over_spot & _in_hand(state, obj) & (state.tcp[:, 2] < low + 0.012)
    pinched = _in_hand(state, obj) & (state.width < CLEAR_WIDTH)  # rising now would drag the block along
    goal = _choose(release | (in_goal & pinched), state.tcp, goal)
    goal = _choose(in_goal & ~pinched, _above(state, LIFT_Z), goal)
    opening = np.where(release | in_goal, 1.0, opening)
    return goal, opening, in_goal & (state.tcp[:, 2] > LIFT_Z - 0.05)


def _place(state: ExpertState, obj: Array, task: Task, robot: SimRobot) -> tuple[Array, Array, Mask]:
    spot = state.bowl[:, :2]
    in_goal = (np.linalg.norm(obj[:, :2] - spot, axis=1) < 0.06) & (obj[:, 2] < 0.055)
    return _set_down(state, obj, spot, RELEASE_Z, in_goal)


def _near(state: ExpertState, obj: Array, task: Task, robot: SimRobot) -> tuple[Array, Array, Mask]:
    target = state.blocks[:, BLOCKS.index(task.target)]
    spot = near_spot(target[:, :2], robot)
    in_goal = (np.linalg.norm(obj[:, :2] - target[:, :2], axis=1) < 0.098) & (obj[:, 2] < 0.027)
    return _set_down(state, obj, spot, GRASP_Z + 0.004, in_goal, tight=0.02)


def _push(state: ExpertState, obj: Array, task: Task, robot: SimRobot) -> tuple[Array, Array, Mask]:
    sign = SIDES[task.target]
    in_goal = sign * obj[:, 1] > robot.side_line_y + 0.012
    behind = sign * (obj[:, 1] - state.tcp[:, 1])
    aligned = np.abs(state.tcp[:, 0] - obj[:, 0]) < 0.015
    pushing = aligned & (behind > 0.015) & (behind < 0.085) & (state.tcp[:, 2] < GRASP_Z + 0.02)
    start = obj[:, :2] - np.array([0.0, sign * 0.07])
    ahead = np.stack([obj[:, 0], state.tcp[:, 1] + sign * 0.03, np.full(len(obj), GRASP_Z)], axis=1)
    goal = _choose(pushing, ahead, _descend(state, start, GRASP_Z, HOVER_Z, tight=0.012))
    goal = _choose(in_goal, _above(state, LIFT_Z), goal)
    return goal, np.zeros(len(obj)), in_goal & (state.tcp[:, 2] > HOVER_Z - 0.02)


def _drop_wrong_block(state: ExpertState, obj: Array, goal: Array, opening: Array, done: Mask) -> tuple[Array, Array]:
    """A block held for an earlier instruction is set down where the hand is before anything else."""
    wrong = np.zeros(len(obj), dtype=bool)
    for i in range(state.blocks.shape[1]):
        other = state.blocks[:, i]
        wrong |= _holding(state, other) & ~np.all(np.isclose(other, obj), axis=1)
    wrong &= ~done
    low = state.tcp[:, 2] < GRASP_Z + 0.01
    lower = np.concatenate([state.tcp[:, :2], np.full((len(obj), 1), GRASP_Z)], axis=1)
    goal = _choose(wrong, _choose(low, state.tcp, lower), goal)
    return goal, np.where(wrong, np.where(low, 1.0, 0.0), opening)


def _limited(tcp: Array, goal: Array) -> Array:
    """Step towards the goal, no longer than MAX_STEP; sideways only as far as the hand is high enough already."""
    step = goal - tcp
    rise = np.maximum(step[:, 2] - 0.01, 0.0)
    sideways = np.linalg.norm(step[:, :2], axis=1)
    step[:, :2] *= np.where(sideways > 0.02, np.clip(1.0 - rise / 0.04, 0.0, 1.0), 1.0)[:, None]
    length = np.linalg.norm(step, axis=1)
    return np.asarray(step * np.minimum(1.0, MAX_STEP / np.maximum(length, 1e-9))[:, None])


def after(state: ExpertState, action: ExpertAction) -> ExpertState:
    """What an action leads to, as far as the expert can tell: a block between closed fingers comes along."""
    grip = np.array([[np.any(_in_hand(state, state.blocks[:, k])) for k in range(state.blocks.shape[1])]])
    held = grip & (action.opening < 0.5)[:, None] & (state.width < HELD_WIDTH[1])[:, None]
    blocks = state.blocks + np.where(held[..., None], action.translation[:, None, :], 0.0)
    least = np.where(grip.any(axis=1), sum(HELD_WIDTH) / 2.0, 0.0)
    goal = np.where(action.opening < 0.5, least, OPEN_WIDTH)
    width = state.width + np.clip(goal - state.width, -WIDTH_STEP, WIDTH_STEP)
    return ExpertState(state.tcp + action.translation, width, blocks, state.bowl)


def state_of(tcp: Array, width: float, objects: dict[str, Array]) -> ExpertState:
    """One state (n = 1) from a tool position (3,), a width and poses (>=3,) by name; missing objects count as off."""
    off = np.array([0.0, 0.0, -1.0])
    blocks = np.stack([objects.get(name, off)[:3] for name in BLOCKS])
    return ExpertState(tcp[None, :3], np.array([width]), blocks[None], objects.get(BOWL, off)[None, :3])
