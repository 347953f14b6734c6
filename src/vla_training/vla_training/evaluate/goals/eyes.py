# SPDX-License-Identifier: Apache-2.0
"""What the planner sees in lockstep: the scene network and its memory on the front camera's picture, or the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vla_perception.scene.detector import Detection, SceneDetector
from vla_perception.scene.memory import SceneMemory
from vla_perception.scene.support import Hand
from vla_planner.scene import Scene, SceneRules, SeenObject
from vla_sim.world.camera import Camera
from vla_sim.world.world import World

from vla_training.evaluate.goals.truth import true_scene
from vla_training.scene.samples import front_camera

PERIOD = 0.39  # [s] between two looks
Image = NDArray[np.uint8]


class Eyes:
    """Perceives a world. `detector` None: the true poses, to tell errors of sight from errors of planning."""

    def __init__(self, world: World, camera: Camera, detector: SceneDetector | None) -> None:
        self._world, self._camera, self._detector = world, camera, detector
        self._memory = SceneMemory()
        self.forget()

    def forget(self) -> None:
        """Begin a new table."""
        self._memory.reset()
        self._scene, self._looked = Scene(), -np.inf
        self.picture: Image | None = None

    def look(self, picture: bool = False) -> Scene:
        """Return the scene as of the latest look, at most PERIOD old; `picture`: keep the picture as well."""
        now = self._world.time
        if now - self._looked < PERIOD:
            return self._scene
        self._looked = now
        if self._detector is None:
            self.picture = self._camera.render() if picture else None
            self._scene = true_scene(self._world)
            return self._scene
        self.picture = self._camera.render()
        x, y, z = self._world.tcp_pose()[:3].tolist()
        hand = Hand((x, y, z), self._world.gripper_width)
        found = self._detector.detect(self.picture, front_camera(self._world, self._camera), hand)
        held = self._scene.held
        known = self._memory.update(found, now, (x, y, z), held)
        self._scene = self._symbols(known, (x, y, z), now)
        return self._scene

    def _symbols(self, known: tuple[Detection, ...], tool: tuple[float, float, float], now: float) -> Scene:
        rules = SceneRules(side_line=self._world.robot.side_line_y)
        seen = {d.name: SeenObject(d.name, d.position, d.confidence, d.deviation) for d in known}
        return Scene(seen, tool, self._world.gripper_width, now, rules)
