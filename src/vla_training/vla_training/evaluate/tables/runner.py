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

from vla_training.evaluate.episode import act
from vla_training.evaluate.lockstep import INSTRUCTION_ID, LockstepSettings
from vla_training.evaluate.place import Place
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
        policy, mapped = self._driver.policy, load_observation_map(settings.policy)
        self._place = Place(
            settings.policy.robot,
            policy.image_size or settings.image_size,
            LockstepSettings(policy_period=1.0 / settings.policy.rate),
            mapped.cameras if mapped else (),
            rendered=not policy.uses_scene,
        )

    def run(self, number: int) -> Row:
        """Run one episode of the list."""
        digest, index = self._items[number]
        stage = draw_stage(self._cells[digest], self._place.robot, self.settings.seed, index)
        self._place.lay(stage.layout, stage.dressing, stage.drawn, index)
        return self._play(digest, index, stage)

    def _play(self, digest: str, index: int, stage: Stage) -> Row:
        lockstep, driver = self._place.lockstep, self._driver
        began = lockstep.world.time
        # the scripted expert reads the truth: it gets the block's own name
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
