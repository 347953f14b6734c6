# SPDX-License-Identifier: Apache-2.0
"""Off-screen rendering of the world's cameras."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import TracebackType

import mujoco
import numpy as np
from numpy.typing import NDArray

from vla_sim.world.world import World

_SHADOW_SIZE = 1024  # [pixels] of the map of shadows; MuJoCo's 4096 costs ten times as much


class Camera:
    """Renders one or more named cameras of a world at one size. Belongs to the thread that makes it."""

    def __init__(self, world: World, height: int = 256, width: int = 320, model: mujoco.MjModel | None = None) -> None:
        """Draw `model`, by default the world's own, at a size in [pixels]."""
        self.height, self.width = height, width
        self._world = world
        self._model = model or world.model
        self.effect: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None  # on every picture
        self._model.vis.quality.shadowsize = min(_SHADOW_SIZE, self._model.vis.quality.shadowsize)
        self._renderer = mujoco.Renderer(self._model, height, width)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._renderer.scene.flags[flag] = 0

    def render(self, name: str = "front") -> NDArray[np.uint8]:
        """One image (height, width, 3), RGB."""
        self.look(name)
        return self.image()

    def look(self, name: str = "front") -> None:
        """Take in the world's present state: microseconds, and all that needs the world to stand still."""
        shadow = mujoco.mjtRndFlag.mjRND_SHADOW  # drawn where a light casts them, which none does on the plain table
        self._renderer.scene.flags[shadow] = bool(self._model.light_castshadow.any())
        self._renderer.update_scene(self._world.data, name)

    def image(self) -> NDArray[np.uint8]:
        """Draw what the last `look` saw: milliseconds, in which the world may move on."""
        image = np.asarray(self._renderer.render(), dtype=np.uint8).copy()
        return self.effect(image) if self.effect is not None else image

    def intrinsics(self, name: str = "front") -> NDArray[np.float64]:
        """Pinhole matrix K (3, 3) in pixels, from MuJoCo's vertical field of view."""
        fovy = math.radians(float(self._world.model.camera(name).fovy[0]))
        focal = 0.5 * self.height / math.tan(fovy / 2)
        return np.array([[focal, 0, (self.width - 1) / 2], [0, focal, (self.height - 1) / 2], [0, 0, 1.0]])

    def close(self) -> None:
        """Free the GL context."""
        self._renderer.close()

    def __enter__(self) -> Camera:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
