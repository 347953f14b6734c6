# SPDX-License-Identifier: Apache-2.0
"""What an object rests on (table, bowl, fingers), which decides the height along its ray."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vla_perception.scene.projection import CameraPose

Position = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Hand:
    """The tool centre point [m] and the width of the gripper [m], NaN when unknown."""

    position: Position
    width: float = math.nan


@dataclass(frozen=True, slots=True)
class Supports:
    """Heights of centres [m] and distances [m] of the objects that the network knows."""

    container: str = "bowl"
    container_height: float = 0.0  # of the container's own origin
    resting: float = 0.02  # of a block on the table
    inside: tuple[float, ...] = (0.028, 0.068, 0.108, 0.148, 0.188)  # of blocks in the container, one on another
    radius: float = 0.055  # of the container, for centres of blocks
    grip: tuple[float, float] = (0.02, 0.06)  # gripper width with a block between the fingers
    hand_pixels: float = 16.0  # from the tool's own pixel, within which a block is in the fingers


def place(
    name: str,
    pixel: tuple[float, float],
    height: float,
    camera: CameraPose,
    container: Position | None,
    hand: Hand | None,
    supports: Supports,
) -> Position:
    """Return where an object is: on the support that lies on its pixel's ray and is nearest to its estimated height.

    Args:
        name: of the object.
        pixel: column and row of its centre.
        height: estimate of the network [m].
        camera: of the picture.
        container: where the container stands, None without one.
        hand: tool and gripper, None when unknown.
        supports: heights and distances.
    """
    if name == supports.container:
        return _on(camera, pixel, supports.container_height)
    candidates = [_on(camera, pixel, supports.resting)]
    if container is not None:
        levels = (_on(camera, pixel, level) for level in supports.inside)
        candidates += [p for p in levels if math.dist(p[:2], container[:2]) < supports.radius]
    if hand is not None and supports.grip[0] < hand.width < supports.grip[1]:
        tool = camera.project(np.array([hand.position]))[0]
        if math.dist(tool, pixel) < supports.hand_pixels:
            candidates.append(hand.position)
    return min(candidates, key=lambda p: abs(p[2] - height))


def _on(camera: CameraPose, pixel: tuple[float, float], height: float) -> Position:
    x, y, z = camera.on_plane(np.array([pixel]), np.array([height]))[0].tolist()
    return x, y, z
