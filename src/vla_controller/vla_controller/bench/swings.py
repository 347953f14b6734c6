# SPDX-License-Identifier: Apache-2.0
"""How far the joints swing for what the tool does, on straight tool paths into a joint's position limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from vla_core.robot import RobotConfig
from vla_core.rotation import Pose, from_rotation_vector, multiply

from vla_controller.arm.kinematics import Kinematics

Array = npt.NDArray[np.float64]

_DT = 0.05  # [s]
_SPEED = 0.1  # [m/s] of the tool
SLOW = 0.05  # [m/s] of the tool, below which the joints are to be slow as well
_NEAR, _FAR = 0.0, 0.16  # [m] from the side of the workspace that is next to the base
_ITERATIONS = 3


@dataclass(frozen=True, slots=True)
class Swing:
    """Figures of one path."""

    joint_path: float  # [rad/m] travel of all joints for each metre of the tool's travel
    speed_while_slow: float  # [rad/s] of the fastest joint while the tool is slower than SLOW
    tracking_rms: float  # [m] of the tool's distance from where it was to be


def near_paths(config: RobotConfig, home: Pose) -> list[tuple[list[Array], Array]]:
    """Corners (3,) [m] of paths in, along, and out of the near side of the workspace, with a rotation each."""
    near, paths = config.workspace_lower[0], []
    for z in (0.02, 0.1, 0.2, 0.3):
        for y in (0.0, 0.15, -0.3):
            places = [(near + _FAR, y), (near + _NEAR, y), (near + _NEAR, y + 0.05), (near + _FAR, y)]
            corners = [np.array([x, side, z]) for x, side in places]
            for yaw in (0.0, 0.7):
                turn = from_rotation_vector(np.array([0.0, 0.0, yaw]))
                paths.append((corners, multiply(turn, home.quaternion)))
    return paths


def swing(kinematics: Kinematics, config: RobotConfig, corners: Sequence[Array], quaternion: Array) -> Swing:
    """Solve a path tick by tick as the controller does, with joints at most at their top speed."""
    q, reach = config.home, config.limits.velocity * _DT
    for _ in range(60):
        q, _, _ = kinematics.ik(q, Pose(corners[0], quaternion), _ITERATIONS)
    joints, tools, off = [q], [kinematics.fk(q).position], [0.0]
    for a, b in pairwise(corners):
        count = max(1, round(float(np.linalg.norm(b - a)) / _SPEED / _DT))
        for k in range(1, count + 1):
            target = a + (b - a) * k / count
            change = kinematics.ik(q, Pose(target, quaternion), _ITERATIONS)[0] - q
            q = q + change / max(1.0, float(np.max(np.abs(change) / reach)))
            joints.append(q)
            tools.append(kinematics.fk(q).position)
            off.append(float(np.linalg.norm(tools[-1] - target)))
    moves, travel = np.abs(np.diff(joints, axis=0)), np.linalg.norm(np.diff(tools, axis=0), axis=1)
    slow = travel < SLOW * _DT
    fastest = float(moves[slow].max() / _DT) if np.any(slow) else 0.0
    return Swing(float(moves.sum() / travel.sum()), fastest, float(np.sqrt(np.mean(np.square(off)))))


def measure_swings(config: RobotConfig, kinematics: Kinematics) -> dict[str, float]:
    """Mean and worst figures over the paths of :func:`near_paths`."""
    rows = [swing(kinematics, config, *path) for path in near_paths(config, kinematics.fk(config.home))]
    found: dict[str, float] = {}
    for name in Swing.__slots__:
        values = [getattr(row, name) for row in rows]
        found |= {f"{name}_mean": float(np.mean(values)), f"{name}_max": float(np.max(values))}
    return found
