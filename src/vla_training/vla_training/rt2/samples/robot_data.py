# SPDX-License-Identifier: Apache-2.0
"""Robot data sets of one robot as one labelled table with its pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_training.data.frames import FrameTable, build_table
from vla_training.data.lerobot.reader import open_dataset
from vla_training.data.record import EpisodeRecord
from vla_training.run.errors import TrainingError


@dataclass(frozen=True, slots=True)
class RobotData:
    """A table of frames, and where they came from: rows of folder, episodes and frames."""

    robot: str
    table: FrameTable
    image_size: tuple[int, int]  # (height, width) [px]
    sources: list[dict[str, Any]]


def load_robot_data(folders: Sequence[Path], report: Callable[[str], None]) -> RobotData:
    """Read and label every frame. Raises DatasetError, and TrainingError for sets that do not go together."""
    sets = [open_dataset(folder) for folder in folders]
    first = sets[0]
    for each in sets:
        if not each.rows:
            raise TrainingError(f"{each.folder} holds no episodes yet; `vla data --out {each.folder}` makes some")
        if (each.robot, each.image_size) != (first.robot, first.image_size):
            raise TrainingError(
                f"{each.folder} holds {each.robot} in {each.image_size} and {first.folder} {first.robot} in "
                f"{first.image_size} (height, width); one robot and one size are needed"
            )
    records: list[EpisodeRecord] = []
    for each in sets:
        records += each.records()
        report(f"{each.folder}: {len(each.rows)} episodes, {each.frames} frames")
    sources = [{"folder": str(s.folder), "episodes": len(s.rows), "frames": s.frames} for s in sets]
    return RobotData(first.robot, build_table(records), first.image_size, sources)
