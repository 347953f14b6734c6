# SPDX-License-Identifier: Apache-2.0
"""Which instructions are given, on which tables: drawn from a seed or read from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

FAMILIES = ("pick", "place", "near", "push")
SIDES = ("left", "right")
ANY = "any"
EXAMPLE = '[{"family": "place", "seed": 3}, {"instruction": "pick up the red block", "then": "pick up the blue block"}]'


class PlanError(ValueError):
    """A list of episodes that cannot be given."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One episode to come: the simulator draws the sentence from `family` and `seed` where `instruction` is empty.

    `then` is a second sentence, given mid-run on the same table in place of the first, and the one that is scored;
    "any" chooses one from the objects that lie there.
    """

    family: str = ""
    seed: int = 0
    instruction: str = ""
    then: str = ""

    def __post_init__(self) -> None:
        if self.family and self.family not in FAMILIES:
            raise PlanError(f"unknown family {self.family!r}; valid: {', '.join(FAMILIES)}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**62:
            raise PlanError(f"seed {self.seed!r} is not valid; a whole number from 0 is needed")
        for name in ("instruction", "then"):
            if not isinstance(getattr(self, name), str):
                raise PlanError(f"{name} {getattr(self, name)!r} is not valid; text is needed")
        if not self.family and not self.instruction:
            raise PlanError(f"an episode needs a family or an instruction; families: {', '.join(FAMILIES)}")


def demo_plans(seed: int) -> tuple[Plan, ...]:
    """One episode of each family, and a fifth whose instruction changes mid-run."""
    plans = [Plan(family, seed=table_seed(seed, i)) for i, family in enumerate(FAMILIES)]
    return (*plans, Plan("place", seed=table_seed(seed, len(plans)), then=ANY))


def evaluation_plans(count: int, seed: int) -> tuple[Plan, ...]:
    """`count` episodes, the families in turn."""
    if count < 1:
        raise PlanError(f"{count} episodes are not valid; at least 1 is needed")
    return tuple(Plan(FAMILIES[i % len(FAMILIES)], seed=table_seed(seed, i)) for i in range(count))


def table_seed(seed: int, index: int) -> int:
    """The seed of the table of episode `index` in a run with `seed`: far apart for different runs."""
    if seed < 0:
        raise PlanError(f"seed {seed} is not valid; a whole number from 0 is needed")
    return int(np.random.SeedSequence((seed, index)).generate_state(1)[0])


def read_plans(path: Path) -> tuple[Plan, ...]:
    """Read a JSON list of objects with the fields of Plan; raises PlanError with what is wrong and an example."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlanError(f"{path} is not readable as JSON: {error}; example: {EXAMPLE}") from None
    if not isinstance(data, list) or not data:
        raise PlanError(f"{path} is to hold a JSON list of episodes; example: {EXAMPLE}")
    try:
        return tuple(_plan(entry) for entry in data)
    except PlanError as error:
        raise PlanError(f"{path}: {error}; example: {EXAMPLE}") from None


def _plan(entry: Any) -> Plan:
    valid = [field.name for field in fields(Plan)]
    if not isinstance(entry, Mapping):
        raise PlanError(f"{entry!r} is not an object")
    unknown = sorted(set(entry) - set(valid))
    if unknown:
        raise PlanError(f"unknown key {unknown[0]!r}; valid: {', '.join(valid)}")
    return Plan(**entry)


def another_instruction(first: str, names: Sequence[str], seed: int) -> str:
    """A second sentence for the same table: about a block that `first` does not name, into the bowl if one is there.

    Raises PlanError when no other block is among `names`, the objects on the table.
    """
    others = sorted(name for name in names if name.endswith(" block") and name not in first)
    if not others:
        raise PlanError(f"no other block to change to; on the table: {', '.join(sorted(names)) or 'nothing'}")
    block = others[seed % len(others)]
    return f"put the {block} in the bowl" if "bowl" in names else f"pick up the {block}"
