# SPDX-License-Identifier: Apache-2.0
"""The files of `config/evaluation`: tables of cells, each of them one condition under which a policy is tried."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from vla_core.config_file import config_names, find_config
from vla_sim.task.task import FAMILIES, SIDES, TEMPLATES
from vla_sim.variation.axes import VariationError
from vla_sim.variation.variation import Variation, load_ranges, variation_of
from vla_sim.world.dressing import Dressing, DressingError
from vla_sim.world.scene import BLOCKS, BOWL
from vla_sim.world.things import HELD_OUT_THINGS, THINGS, TRAINED_THINGS

from vla_training.data.language import load_templates
from vla_training.run.errors import TrainingError

FOLDER = "evaluation"
KINDS: dict[str, tuple[str, ...]] = {
    "trained": TRAINED_THINGS,
    "held_out": HELD_OUT_THINGS,
    "any": tuple(THINGS),
}  # of things


class TableError(TrainingError):
    """A table's file says what cannot be evaluated."""


@dataclass(frozen=True, slots=True)
class Things:
    """Distractors: so many of a kind, and whether a can hides part of the task's block."""

    count: tuple[int, int] = (0, 0)
    kind: str = "any"
    occluded: bool = False

    def __post_init__(self) -> None:
        """Raise TableError for an unknown kind or more things than there are."""
        if self.kind not in KINDS:
            raise TableError(f"unknown kind of things {self.kind!r}; valid: {', '.join(KINDS)}")
        low, high = self.count
        if not 0 <= low <= high <= len(KINDS[self.kind]) - 1:
            raise TableError(
                f"count of things is {low} to {high}; valid: 0 to {len(KINDS[self.kind]) - 1}, the smaller first"
            )


@dataclass(frozen=True, slots=True)
class Cell:
    """One condition. What is empty is as on the plain table with the plain wording."""

    families: tuple[str, ...] = FAMILIES
    instructions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # family -> templates
    things: Things = Things()
    shapes: tuple[str, ...] = ()  # of the task's block, one of them an episode
    paints: tuple[str, ...] = ()
    called: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # block, bowl or side -> what the text says
    marks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # mark -> what the text calls a block with it
    vary: Mapping[str, Any] = field(default_factory=dict)  # axes of vla_sim.variation with their ranges

    def __post_init__(self) -> None:
        """Raise TableError for what the simulator does not have."""
        _among("family", self.families, FAMILIES)
        _among("family of instructions", self.instructions, FAMILIES)
        _among("name in called", self.called, (*BLOCKS, BOWL, *SIDES))
        try:
            for shape in self.shapes:
                Dressing(shapes={BLOCKS[0]: shape})
            for paint in self.paints:
                Dressing(paints={BLOCKS[0]: paint})
            for mark in self.marks:
                Dressing(marks={BLOCKS[0]: mark})
            variation_of(self.vary)
        except (DressingError, VariationError) as error:
            raise TableError(str(error)) from error

    @property
    def variation(self) -> Variation:
        """What varies from episode to episode."""
        return variation_of(self.vary)

    @property
    def digest(self) -> str:
        """A short name of this condition: cells of several tables that are alike are run once."""
        return hashlib.sha256(json.dumps(_plain(self), sort_keys=True).encode()).hexdigest()[:12]

    def template(self, family: str) -> tuple[str, ...]:
        """Return the wordings of a family, of which an episode takes one."""
        return self.instructions.get(family, (TEMPLATES[family],))


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a paper: cells by name, and the paper's own rates [%] by policy and cell.

    A rate that the paper gives for several cells together stands beside each of them.
    """

    name: str
    title: str
    cells: Mapping[str, Cell]
    paper: Mapping[str, Mapping[str, float]]


def load_tables(names: Sequence[str]) -> tuple[Table, ...]:
    """Return tables by name or path; none named: every one that ships. Raises TableError."""
    return tuple(load_table(name) for name in names or config_names(FOLDER))


def load_table(name: str) -> Table:
    """Return one table. Raises TableError with the file, the cell and what is valid."""
    try:
        path = find_config(FOLDER, "table", name)
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TableError(str(error)) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TableError(f"cannot read the table {name}: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict) or not isinstance(data.get("cells"), dict) or not data["cells"]:
        raise TableError(f"{path}: a table has a title and cells, a mapping of at least one name to a condition")
    cells = {str(cell): _load_cell(path, str(cell), entry or {}) for cell, entry in data["cells"].items()}
    paper = {who: _spread(path, rates, tuple(cells)) for who, rates in (data.get("paper") or {}).items()}
    return Table(path.stem, str(data.get("title", path.stem)), cells, paper)


def _spread(path: Path, rates: Mapping[str, float], cells: Sequence[str]) -> dict[str, float]:
    """Return rates by cell; the name of a rate is a cell's, or how the names of several begin."""
    for name in rates:
        if not any(cell.startswith(name) for cell in cells):
            raise TableError(f"{path}: a paper's rate is of {name!r}; valid: {', '.join(cells)}, or how some begin")
    return {cell: float(rate) for name, rate in rates.items() for cell in cells if cell.startswith(name)}


def _load_cell(path: Path, name: str, entry: Any) -> Cell:
    valid = [each.name for each in fields(Cell)]
    try:
        if not isinstance(entry, dict):
            raise TableError(f"is {entry!r}; valid: a mapping of {', '.join(valid)}")
        _among("entry", entry, valid)
        if isinstance(entry.get("instructions"), str):  # a file beside the table's
            entry = entry | {"instructions": load_templates(path.parent / entry["instructions"])}
        if isinstance(entry.get("vary"), str):
            entry = entry | {"vary": load_ranges(entry["vary"])}
        return Cell(**{key: _read(key, value) for key, value in entry.items()})
    except (TypeError, ValueError) as error:
        raise TableError(f"{path}: cell {name!r}: {error}") from error


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise TableError(f"{value!r} is not a list of texts")
    return tuple(value)


def _lists(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise TableError(f"{value!r} is not a mapping of names to lists of texts")
    return {str(key): _texts(texts) for key, texts in value.items()}


def _read_things(value: Any) -> Things:
    if not isinstance(value, dict):
        raise TableError(f"things is {value!r}; valid: a mapping of count, kind, occluded")
    _among("entry of things", value, ("count", "kind", "occluded"))
    low, high = value.get("count", (0, 0))
    return Things((int(low), int(high)), str(value.get("kind", "any")), bool(value.get("occluded", False)))


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TableError(f"{value!r} is not a mapping of axes to ranges")
    return value


_READ: dict[str, Callable[[Any], Any]] = {
    "instructions": _lists,
    "called": _lists,
    "marks": _lists,
    "things": _read_things,
    "vary": _mapping,
}


def _read(key: str, value: Any) -> Any:
    reader: Callable[[Any], Any] = _READ.get(key, _texts)
    return reader(value)


def _among(what: str, names: Any, valid: Sequence[str]) -> None:
    for name in names:
        if name not in valid:
            raise TableError(f"unknown {what} {name!r}; valid: {', '.join(valid)}")


def _plain(cell: Cell) -> dict[str, Any]:
    """Return what differs from the plain table, for a digest that new kinds of conditions do not change."""
    plain = Cell()
    values = {each.name: getattr(cell, each.name) for each in fields(Cell)}
    different = {name: value for name, value in values.items() if value != getattr(plain, name)}
    if "things" in different:
        different["things"] = [*cell.things.count, cell.things.kind, cell.things.occluded]
    return different
