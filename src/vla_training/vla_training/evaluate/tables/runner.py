# SPDX-License-Identifier: Apache-2.0
"""Runs episodes of cells: a policy for all of them, a world for each table that shows other things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vla_policy.loading import load_observation_map
from vla_policy.policy import Observation
from vla_policy.run.state import State
from vla_policy.settings import Settings
from vla_sim.task.task import SuccessTest
from vla_sim.world.camera import Camera
from vla_sim.world.world import World

from vla_training.evaluate.episode import act
from vla_training.evaluate.lockstep import INSTRUCTION_ID, Lockstep, LockstepSettings
from vla_training.evaluate.policy_driver import PolicyDriver
from vla_training.evaluate.tables.cells import Cell
from vla_training.evaluate.tables.sheet import Sheet
from vla_training.evaluate.tables.stage import Stage, draw_stage

TIME_LIMIT = 30.0  # [s] of simulated time for one episode


@dataclass(frozen=True, slots=True)
class TableSettings:
    """What is tried on the cells. `failures`: folder of contact sheets of failed episodes; None: none."""

    policy: Settings
    seed: int = 7
    failures: Path | None = None
    time_limit: float = TIME_LIMIT
    image_size: tuple[int, int] = (128, 160)  # of a policy that does not say its own


@dataclass(frozen=True, slots=True)
class Row:
    """One episode, as a line of the log. `steps`: inferences; `sheet`: contact sheet of a failure."""

    cell: str  # digest
    index: int
    family: str
    instruction: str
    success: bool
    seconds: float
    steps: int
    terminated: bool
    reason: str = ""
    sheet: str = ""


class TableRunner:
    """Runs the episodes of a list by their number."""

    def __init__(self, settings: TableSettings, cells: Mapping[str, Cell], items: Sequence[tuple[str, int]]) -> None:
        """`cells` by digest; `items`: (digest, index) of each episode. Raises PolicyError."""
        self.settings, self._cells, self._items = settings, cells, items
        self._driver = PolicyDriver(settings.policy)
        self._place = _Place(settings, self._driver)

    def run(self, number: int) -> Row:
        """Run one episode of the list."""
        digest, index = self._items[number]
        cell = self._cells[digest]
        stage = draw_stage(cell, self._place.world.robot, self.settings.seed, index)
        self._place.lay(stage, cell)
        return self._play(digest, index, stage)

    def _play(self, digest: str, index: int, stage: Stage) -> Row:
        lockstep, driver = self._place.lockstep, self._driver
        began = lockstep.world.time
        # the scripted expert reads the truth: it is told which block is meant
        text = stage.task.text() if driver.policy.uses_scene else stage.text
        driver.begin(INSTRUCTION_ID, text, began)
        sheet = Sheet()

        def watch(observation: Observation) -> None:
            sheet.add(next(iter(observation.images.values())))

        success = act(driver, lockstep, SuccessTest(lockstep.world, stage.task), self.settings.time_limit, watch)
        row = Row(
            digest,
            index,
            stage.task.family,
            stage.text,
            success,
            round(lockstep.world.time - began, 2),
            sheet.count,
            driver.status.state is State.DONE,
            driver.status.reason,
        )
        if success or self.settings.failures is None or driver.policy.uses_scene:
            return row
        path = sheet.save(self.settings.failures / f"{digest}_{index}.png", f"{stage.text}  {row.reason}")
        return replace(row, sheet=path.name)

    def close(self) -> None:
        """Free policy and renderer."""
        self._driver.close()
        self._place.close()


class _Place:
    """World, camera and lockstep, kept as long as the table shows the same things."""

    def __init__(self, settings: TableSettings, driver: PolicyDriver) -> None:
        self._settings, self._driver = settings, driver
        mapped = load_observation_map(settings.policy)
        self._cameras = mapped.cameras if mapped else ()
        self.world = World(settings.policy.robot)
        self._camera: Camera | None = None
        self._renew(self.world)

    def _renew(self, world: World) -> None:
        self.close()
        self.world = world
        self._camera = None if self._driver.policy.uses_scene else Camera(world)
        size = self._driver.policy.image_size or self._settings.image_size
        conditions = LockstepSettings(policy_period=1.0 / self._settings.policy.rate)
        self.lockstep = Lockstep(world, self._camera, size, conditions, self._cameras)
        self._fresh = True

    def lay(self, stage: Stage, cell: Cell) -> None:
        """Lay the table of a stage and put the arm at home."""
        if stage.dressing != self.world.dressing:
            self._renew(World(self.world.robot, dressing=stage.dressing))
        self.lockstep.forget()
        stage.layout.apply(self.world)
        self.lockstep.start()

    def close(self) -> None:
        """Free the renderer."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None
