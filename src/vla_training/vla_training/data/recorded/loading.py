# SPDX-License-Identifier: Apache-2.0
"""From the words of the command line to a table of recorded actions and the pictures beside it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import DTypeLike, NDArray
from vla_core.observation_map.reading import to_dict
from vla_policy.action.space import ActionSpace
from vla_policy.mapping.token_actions import ACTIONS, BY_MAP, NUMBERS

from vla_training.data.recorded.binding import Binding, Choices, Size, bind
from vla_training.data.recorded.frames import SetFrames, read_set
from vla_training.data.recorded.meaning import Meaning
from vla_training.data.recorded.pictures import Transform, cached_pictures
from vla_training.data.recorded.source import open_source, parse_sources
from vla_training.data.recorded.table import RecordedTable, build_table
from vla_training.run.errors import TrainingError


@dataclass(frozen=True, slots=True, eq=False)
class RecordedData:
    """A table, its pictures' size (height, width) [px], and where it came from."""

    table: RecordedTable
    size: Size
    bindings: tuple[Binding, ...]
    sets: tuple[SetFrames, ...]
    sources: list[dict[str, Any]]

    @property
    def robot(self) -> str:
        """The robot of the first set."""
        return self.table.robot

    def rows(
        self, run: Path, transform: Transform, dtype: DTypeLike, key: str, report: Callable[[str], None]
    ) -> list[NDArray[Any]]:
        """Return for each set a row of each picture; see `cached_pictures`."""
        pairs = zip(self.bindings, self.sets, strict=True)
        return [cached_pictures(run, b, s, transform, dtype, key, report) for b, s in pairs]

    def control(self) -> dict[str, Any]:
        """Return what a checkpoint has to know beside its space: the period, and what its columns are."""
        kind = NUMBERS if self.table.observation_map is None else BY_MAP
        return {"period_s": self.table.period_s, ACTIONS: kind, "ranges": dict(self.table.ranges)}

    def map_text(self) -> str:
        """Return the map as the text of a file; empty for plain numbers."""
        found = self.table.observation_map
        return "" if found is None else yaml.safe_dump(to_dict(found), sort_keys=False)


def load_recorded(
    arguments: argparse.Namespace, network: Size, before: ActionSpace | None, report: Callable[[str], None]
) -> RecordedData:
    """Open, bind and read the sets of `add_recorded_arguments`.

    network: (height, width) [px] that the network sees; before: the space of a run that continues. Raises DatasetError
    and TrainingError.
    """
    sources = parse_sources(arguments.data)
    choices = choices_of(arguments)
    bindings: list[Binding] = []
    for source in sources:
        size = bindings[0].camera.height_width if bindings else None
        bindings.append(bind(open_source(source), choices, size, network))
    size = bindings[0].camera.height_width
    assert size is not None
    _warn(bindings, report)
    sets = tuple(read_set(binding, arguments.skip_faulty, report) for binding in bindings)
    table = build_table(bindings, sets, [source.weight for source in sources], before)
    told = []
    for source, binding, frames in zip(sources, bindings, sets, strict=True):
        episodes = len(np.unique(frames.episode))
        told.append({"folder": source.name, "episodes": episodes, "frames": len(frames), "weight": source.weight})
        report(f"{source.name}: {episodes} episodes, {len(frames)} frames at {binding.rate:g} Hz, {binding.robot}")
    return RecordedData(table, size, tuple(bindings), sets, told)


def choices_of(arguments: argparse.Namespace) -> Choices:
    """Return what was asked for. Raises TrainingError for a map beside words that say what a map says."""
    meaning = Meaning(**{item.name: getattr(arguments, f"the_{item.name}") for item in fields(Meaning)})
    if arguments.map and meaning != Meaning():
        raise TrainingError(
            "--map says what the columns are; valid with it are none of --action, --state, --rotation …"
        )
    return Choices(arguments.map, arguments.robot, arguments.camera, arguments.policy_rate, meaning)


def _warn(bindings: Sequence[Binding], report: Callable[[str], None]) -> None:
    for binding in bindings:
        others = [name for name in binding.listing.pictures if name != binding.picture]
        if others:
            report(f"{binding.listing.folder}: the policy sees {binding.picture}; not {', '.join(others)} (--camera)")
        if binding.observation_map is None:
            names = ", ".join(binding.listing.names(binding.action)[:16])
            report(
                f"warning: {binding.listing.folder}: its action ({names}) is trained as plain numbers, for nothing "
                "says what they are: mode, frame, rotation form, gripper sense. --map, or --action and others, say it; "
                "without, the policy needs map:=FILE to move an arm; at a lower rate the last numbers of a step count"
            )


def only_folders(words: Sequence[str]) -> list[Path]:
    """Return the data sets of `--labels expert`. Raises TrainingError for a weight."""
    weighted = [source.name for source in parse_sources(list(words)) if source.weight is not None]
    if weighted:
        raise TrainingError(f"--labels expert takes no weights; {weighted[0]} has one")
    return [Path(word) for word in words]
