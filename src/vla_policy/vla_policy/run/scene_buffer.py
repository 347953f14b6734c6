# SPDX-License-Identifier: Apache-2.0
"""Ground truth of the simulator by time, for policies that read it instead of the picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vla_policy.errors import ObservationError

Scene = Mapping[str, NDArray[np.float64]]  # object name to pose (7,): position [m], quaternion x y z w
SCENES_KEPT = 40  # two seconds at the simulator's rate
LARGEST_GAP = 0.25  # [s] between an observation and the scene state used with it: five periods of the simulator


class SceneBuffer:
    """The latest scene states; times in [s] of the ROS clock."""

    def __init__(self) -> None:
        self._scenes: deque[tuple[float, Scene]] = deque(maxlen=SCENES_KEPT)

    def add(self, stamp: float, scene: Scene) -> None:
        """Keep a scene state; a step back of the clock by more than LARGEST_GAP empties the buffer."""
        if self._scenes and stamp < self._scenes[-1][0] - LARGEST_GAP:
            self._scenes.clear()
        self._scenes.append((stamp, scene))

    def at(self, stamp: float) -> Scene:
        """Return the scene state nearest to `stamp`.

        Raises:
            ObservationError: `no_scene` before the first state, `stale_scene` when none is within LARGEST_GAP.
        """
        if not self._scenes:
            raise ObservationError("no_scene: the policy needs the simulator's scene state and has received none")
        nearest, scene = min(self._scenes, key=lambda item: abs(item[0] - stamp))
        gap = abs(nearest - stamp)
        if gap > LARGEST_GAP:
            raise ObservationError(
                f"stale_scene: nearest scene state {gap:.2f} s from the observation; valid: up to {LARGEST_GAP} s"
            )
        return scene
