# SPDX-License-Identifier: Apache-2.0
"""How much of its workspace an arm reaches with the tool pointing down, and a posture to begin from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import mujoco
import numpy as np
import numpy.typing as npt
from vla_core.robot import RobotConfig
from vla_core.rotation import Pose, from_rotation_vector, multiply

from vla_controller.arm.arm_model import arm_model
from vla_controller.arm.kinematics import Kinematics

Array = npt.NDArray[np.float64]

POSITION, ROTATION = 1e-3, np.deg2rad(1.0)  # [m], [rad] within which a pose is reached
_DOWN = np.array([1.0, 0.0, 0.0, 0.0])  # z down, y along the base's y
_YAWS = (-0.5, 0.0, 0.5)  # [rad] about the vertical
GRID = (5, 5, 4)
_FEW, _ITERATIONS = 20, 60
_FAR = 0.03  # [m]
_SEEDS = 40
_BEST = 4  # seeds whose reach is compared


@dataclass(frozen=True, slots=True)
class Reach:
    """Share of poses over the workspace box that inverse kinematics reaches from home, and of positions alone."""

    poses: float
    positions: float
    worst: Array  # (3,) [m] position that was missed by the most


def down(yaw: float = 0.0) -> Array:
    """Rotation (4,) xyzw of a tool that points down, turned by `yaw` [rad] about the vertical."""
    return multiply(from_rotation_vector(np.array([0.0, 0.0, yaw])), _DOWN)


def reach(kinematics: Kinematics, config: RobotConfig, grid: tuple[int, int, int] = GRID) -> Reach:
    """Measure the reach from `config.home` over a grid of positions in the workspace box, three yaws each."""
    axes = [
        np.linspace(low, high, k)
        for low, high, k in zip(config.workspace_lower, config.workspace_upper, grid, strict=True)
    ]
    targets = [Pose(np.array([x, y, z]), down(yaw)) for x in axes[0] for y in axes[1] for z in axes[2] for yaw in _YAWS]
    errors = np.array([_error(kinematics, config, target) for target in targets])
    near = errors[:, 0] < POSITION
    both = near & (errors[:, 1] < ROTATION)
    worst = targets[int(np.argmax(errors[:, 0]))].position
    return Reach(float(both.mean()), float(near.mean()), worst)


def _error(kinematics: Kinematics, config: RobotConfig, target: Pose) -> tuple[float, float]:
    """Remaining distance [m] and rotation [rad] of one target; what is far off after a few steps is given up."""
    q, off, turn = kinematics.ik(config.home, target, _FEW)
    if (off < POSITION and turn < ROTATION) or off > _FAR:
        return off, turn
    return kinematics.ik(q, target, _ITERATIONS)[1:]


def find_home(config: RobotConfig, position: Array) -> tuple[Array, float, float]:
    """Return joints (n,) [rad] with the tool at `position` (3,) [m], pointing down, to begin motions from.

    Of random beginnings the postures far from limits and singularities are kept, of those the one that reaches most of
    the box.

    Returns:
        joints (n,), remaining distance [m], remaining rotation [rad] of the best one.
    """
    kinematics, heights = Kinematics(replace(config, collision=None)), _heights(config)
    rng, limits, target = np.random.default_rng(0), config.limits, Pose(position, down())
    found: list[tuple[float, Array, float, float]] = []
    for _ in range(_SEEDS):
        start = rng.uniform(limits.lower, limits.upper)
        q, off, turn = kinematics.ik(start, target, _ITERATIONS)
        found.append((_score(kinematics, config, q, heights(q)) - 10.0 * (off + 0.1 * turn), q, off, turn))
    found.sort(key=lambda each: -each[0])
    best = _different(found)[:_BEST]
    reached = [
        reach(Kinematics(replace(config, home=q, collision=None)), replace(config, home=q), (3, 3, 2))
        for _, q, _, _ in best
    ]
    _, q, off, turn = best[max(range(len(best)), key=lambda k: (reached[k].poses, reached[k].positions, best[k][0]))]
    return q, off, turn


def _score(kinematics: Kinematics, config: RobotConfig, q: Array, heights: Array) -> float:
    """How well a posture suits as home: far from limits and singularities, no joint below the table, the elbow up."""
    room = float(np.min(np.minimum(q - config.limits.lower, config.limits.upper - q)))
    low, up = min(0.0, float(heights.min()) - 0.02), float(heights.max())
    return min(0.4, room) + min(0.2, kinematics.singularity(q)) + 8.0 * low + 0.5 * up


def _heights(config: RobotConfig) -> Callable[[Array], Array]:
    """Return a function that gives the height [m] of every joint but the first (n - 1,) for joints (n,) [rad]."""
    model = arm_model(replace(config, collision=None))
    data = mujoco.MjData(model)

    def heights(q: Array) -> Array:
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        return np.array(data.xanchor[1:, 2])

    return heights


def _different(found: list[tuple[float, Array, float, float]]) -> list[tuple[float, Array, float, float]]:
    kept: list[tuple[float, Array, float, float]] = []
    for each in found:
        if all(np.max(np.abs(each[1] - other[1])) > 0.2 for other in kept):
            kept.append(each)
    return kept
