# SPDX-License-Identifier: Apache-2.0
"""What an episode of a cell shows and says. The same seed and index give the same task and table in every cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from vla_sim.task.task import Task
from vla_sim.variation.variation import Drawn
from vla_sim.world.dressing import Dressing
from vla_sim.world.extras import add_things
from vla_sim.world.layout import Layout, sample_layout, sample_task
from vla_sim.world.robots import SimRobot
from vla_sim.world.scene import BLOCKS
from vla_sim.world.things import OCCLUDER

from vla_training.evaluate.tables.cells import KINDS, Cell, TableError

_CONDITION = 1  # the stream of what a cell adds, beside the one of task and table
_DRAWS = 60


@dataclass(frozen=True, slots=True)
class Stage:
    """One episode before it begins."""

    task: Task
    text: str  # instruction of the policy
    layout: Layout
    dressing: Dressing
    drawn: Drawn  # of the cell's variation


def draw_stage(cell: Cell, robot: SimRobot, seed: int, index: int) -> Stage:
    """Draw an episode. Raises TableError where a table has no room for the cell's things."""
    rng = np.random.default_rng([seed, index])
    own = np.random.default_rng([seed, index, _CONDITION])
    task = sample_task(rng, cell.families[index % len(cell.families)])
    layout = sample_layout(robot, task, rng)
    wordings = cell.template(task.family)
    template = str(rng.choice(list(wordings))) if len(wordings) > 1 else wordings[0]
    drawn = cell.variation.draw([seed, index])
    dressing = _dressing(cell, task, own)
    names = _names(cell, task, dressing, own)
    for _ in range(_DRAWS):
        full = add_things(robot, layout, dressing.things, own)
        if full is not None:
            text = template.format(object=names[0], target=names[1], side=names[1])
            return Stage(task, text, full, dressing, drawn)
        layout = sample_layout(robot, task, own)
    raise TableError(f"{len(dressing.things)} things find no room beside {task.text()!r} in {_DRAWS} tables")


def _dressing(cell: Cell, task: Task, rng: np.random.Generator) -> Dressing:
    return Dressing(
        shapes={task.object: str(rng.choice(cell.shapes))} if cell.shapes else {},
        paints={task.object: str(rng.choice(cell.paints))} if cell.paints else {},
        marks=_draw_marks(cell, task, rng) if cell.marks else {},
        things=_draw_things(cell, rng),
    )


def _draw_marks(cell: Cell, task: Task, rng: np.random.Generator) -> dict[str, str]:
    """A mark of the cell's on the task's block, other digits on the others."""
    asked = str(rng.choice(list(cell.marks)))
    free = [digit for digit in "1234567" if digit != asked]
    others = [block for block in BLOCKS if block != task.object]
    drawn = rng.choice(free, len(others), replace=False)
    return {task.object: asked, **dict(zip(others, map(str, drawn), strict=True))}


def _draw_things(cell: Cell, rng: np.random.Generator) -> tuple[str, ...]:
    low, high = cell.things.count
    known = [name for name in KINDS[cell.things.kind] if name != OCCLUDER]
    drawn = rng.choice(known, int(rng.integers(low, high + 1)), replace=False)
    return (*map(str, drawn), *((OCCLUDER,) if cell.things.occluded else ()))


def _names(cell: Cell, task: Task, dressing: Dressing, rng: np.random.Generator) -> tuple[str, str]:
    """What the text calls object and target."""
    called = tuple(
        str(rng.choice(cell.called[name])) if name in cell.called else dressing.called(name)
        for name in (task.object, task.target)
    )
    if cell.marks:
        return str(rng.choice(cell.marks[dressing.marks[task.object]])), called[1]
    return called[0], called[1]
