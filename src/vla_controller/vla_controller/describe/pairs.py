# SPDX-License-Identifier: Apache-2.0
"""Which links of an arm can come near each other or the table: those that a collision check needs to watch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from vla_core.robot import Capsule, CollisionConfig, RobotConfig

from vla_controller.arm.arm_model import arm_model
from vla_controller.arm.collision import Clearance

MARGIN = 0.01  # [m] kept between links
_SAMPLES = 500
_NEAR = 0.05  # [m] that a pair has to come to be watched
_ALWAYS = 0.5  # of the samples: what is this often too near is so by its build, not by the posture


def collision_of(
    config: RobotConfig, shapes: Sequence[Capsule], links: Sequence[str]
) -> tuple[CollisionConfig, tuple[str, ...]]:
    """Return what is to be watched, and why pairs are not.

    Args:
        config: the arm; `home` has to be clear of collisions.
        shapes: of its links.
        links: their names from base to tool; neighbours are not paired.
    """
    held = [link for link in links if any(shape.body == link for shape in shapes)]
    order = {link: index for index, link in enumerate(links)}
    pairs = tuple((a, b) for a in held for b in held if order[a] - order[b] >= 2)
    every = CollisionConfig(tuple(shapes), pairs, MARGIN, 0.0, tuple(held))
    near = _measure(config, every)
    kept, left = [], []
    for first, second in pairs:
        least, share, home = near[f"{first} and {second}"]
        if share > _ALWAYS or home < 0.0:
            left.append(f"{first} and {second}: their capsules meet at home or in most postures")
        elif least < _NEAR:
            kept.append((first, second))
    table = []
    for link in held:
        least, share, home = near[f"{link} and the table"]
        if least < _NEAR and share <= _ALWAYS and home > 0.0:
            table.append(link)
    return replace(every, pairs=tuple(kept), table=tuple(table)), tuple(left)


def _measure(config: RobotConfig, every: CollisionConfig) -> dict[str, tuple[float, float, float]]:
    """Least distance less margin [m] over random postures, share of postures that are too near, distance at home."""
    clearance = Clearance(arm_model(replace(config, collision=every)), every)
    limits, rng = config.limits, np.random.default_rng(0)
    postures = rng.uniform(limits.lower, limits.upper, (_SAMPLES, len(config.joints)))
    sampled = np.array([clearance.distances(q) for q in postures])
    home = clearance.distances(config.home)
    found: dict[str, tuple[float, float, float]] = {}
    names = np.array([gap.name for gap in clearance.gaps])
    for name in dict.fromkeys(names):
        mine = names == name
        least = sampled[:, mine].min(axis=1)
        found[name] = (float(least.min()), float((least < 0.0).mean()), float(home[mine].min()))
    return found
