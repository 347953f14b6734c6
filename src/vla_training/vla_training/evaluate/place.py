# SPDX-License-Identifier: Apache-2.0
"""World, camera and lockstep of an evaluation, compiled again only where a table shows other things."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from vla_core.observation_map.camera import Camera as MapCamera
from vla_sim.variation.picture import develop
from vla_sim.variation.variation import Drawn
from vla_sim.variation.varier import Varier, dress
from vla_sim.world.camera import Camera
from vla_sim.world.dressing import Dressing
from vla_sim.world.layout import Layout
from vla_sim.world.robots import SimRobot
from vla_sim.world.world import World

from vla_training.evaluate.lockstep import Lockstep, LockstepSettings


class Place:
    """Where episodes happen."""

    def __init__(
        self,
        robot: str,
        image_size: tuple[int, int],
        conditions: LockstepSettings,
        cameras: Sequence[MapCamera] = (),
        rendered: bool = True,
    ) -> None:
        """Compile the plain table.

        Args:
            robot: name of a simulated robot.
            image_size: (height, width) [pixels] of the pictures, where there are no `cameras`.
            conditions: times of the lockstep.
            cameras: those of an observation map.
            rendered: whether anybody looks at pictures.
        """
        self._rendered, self._options = rendered, (image_size, conditions, cameras)
        self._camera: Camera | None = None
        self._renew(World(robot))

    @property
    def robot(self) -> SimRobot:
        """The robot at the table."""
        return self.world.robot

    def _renew(self, world: World) -> None:
        self.close()
        self.world, self._varier = world, Varier(world)
        self._camera = Camera(world) if self._rendered else None
        self.lockstep = Lockstep(world, self._camera, *self._options)

    def dress(self, dressing: Dressing, drawn: Drawn, seed: int = 0) -> None:
        """Make the world what was drawn, before a table is laid. `seed`: of the camera's noise."""
        wanted = dress(dressing, drawn)
        if wanted != self.world.dressing:
            self._renew(World(self.robot, dressing=wanted))
        self._varier.set(drawn)
        if self._camera is not None:
            self._camera.effect = partial(develop, drawn=drawn, rng=np.random.default_rng(seed))

    def home(self, drawn: Drawn) -> list[float]:
        """Return where the arm starts [rad]."""
        return self._varier.home(drawn)

    def lay(self, layout: Layout, dressing: Dressing, drawn: Drawn, seed: int = 0) -> None:
        """Dress the world, lay its table and put the arm at its start."""
        self.dress(dressing, drawn, seed)
        self.lockstep.forget()
        layout.apply(self.world)
        self.lockstep.start(np.array(self.home(drawn)))

    def close(self) -> None:
        """Free the renderer."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None
