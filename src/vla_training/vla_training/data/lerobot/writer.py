# SPDX-License-Identifier: Apache-2.0
"""Simulated episodes to a LeRobotDataset v3.0 folder: the features of `schema`, with what the simulator knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vla_core.files import write_text
from vla_sim.world.robots import get_robot

from vla_training.data.lerobot.columns import record_columns
from vla_training.data.lerobot.folder import FolderWriter
from vla_training.data.lerobot.reader import Dataset, open_dataset
from vla_training.data.lerobot.schema import MAP_PATH, PROJECTION, VARIATION_PATH, DatasetError, Feature, features
from vla_training.data.record import EpisodeRecord

__all__ = ["Dataset", "DatasetError", "DatasetWriter", "open_dataset"]


MAP_TEXT = """\
format: vla_observation_map/1
description: what the columns of simulated demonstrations are
cameras:
  - {{name: front, key: observation/image, size: [{height}, {width}], fit: crop, interpolation: area}}
state:
  - key: observation.state
    parts:
      - {{part: joints, unit: rad}}
      - {{part: gripper, sense: fingers}}
      - {{part: tool_position}}
      - {{part: tool_rotation, form: quaternion_xyzw}}
      - {{part: gripper, sense: width}}
prompt: prompt
action:
  mode: ee_delta
  key: action
  parts:
    - {{part: translation}}
    - {{part: gripper, sense: open_1}}
    - {{part: terminate}}
period_s: 0.2
"""


class DatasetWriter(FolderWriter):
    """Appends episode records; use it as a context manager."""

    def __init__(
        self, folder: Path, robot: str, fps: int = 5, group: int = 16, variation: Mapping[str, Any] | None = None
    ) -> None:
        """`fps`: the policy's rate [Hz]; `group`: episodes that share a file, and that a killed process may lose.

        `variation`: how tables differ; empty: they are plain. Raises DatasetError for a folder of another robot, format
        or variation, or that another process is writing.
        """
        self._variation = json.loads(json.dumps(dict(variation or {})))  # tuples become lists, as in the file
        self.robot = get_robot(robot)
        self._image_size: tuple[int, int] | None = None
        super().__init__(folder, self.robot.name, fps, group)

    def describe(self) -> dict[str, Feature]:
        """The features of the robot's data sets."""
        return features(self.robot, self._image_size or (0, 0))

    def read_existing(self) -> None:
        """Take over the folder's picture size. Raises DatasetError for another robot or format."""
        existing = open_dataset(self.folder)
        if existing.robot != self.robot.name:
            raise DatasetError(f"{self.folder} holds episodes of {existing.robot}, not of {self.robot.name}")
        if existing.variation != self._variation:
            raise DatasetError(
                f"{self.folder} holds {_tables(existing.variation)}, not {_tables(self._variation)}; "
                "give the same --vary and --things, or another --out"
            )
        self._image_size = existing.image_size

    @property
    def seeds(self) -> set[int]:
        """Seeds of the episodes that the folder holds, with those still to be written."""
        return {row["seed"] for row in self.rows() if row["seed"] is not None}

    @property
    def outcomes(self) -> list[tuple[str, bool]]:
        """(family, success) of each episode, in order."""
        return [(row["family"], row["success"]) for row in self.rows()]

    def add(self, record: EpisodeRecord, seed: int | None = None) -> None:
        """Append one episode. Raises DatasetError for another robot, an empty episode or another picture size."""
        if record.robot != self.robot.name:
            raise DatasetError(f"an episode of {record.robot} in a data set of {self.robot.name}")
        if not len(record):
            raise DatasetError("an episode without frames")
        height, width = record.images.shape[1:3]
        self._image_size = self._image_size or (height, width)
        if self._image_size != (height, width):
            raise DatasetError(f"pictures of {height} x {width} in a data set of {self._image_size} (height, width)")
        path = self.folder / MAP_PATH
        if not path.exists():
            write_text(path, MAP_TEXT.format(height=height, width=width))
        if self._variation and not (self.folder / VARIATION_PATH).exists():
            write_text(self.folder / VARIATION_PATH, json.dumps(self._variation, indent=2) + "\n")
        task = record.task
        extra: dict[str, Any] = {"seed": seed, "family": task.family, "object": task.object, "target": task.target}
        if record.projection is not None:
            extra[PROJECTION] = [float(value) for value in record.projection.ravel()]
        self.append(record.text, record_columns(record), extra | {"success": bool(record.success)})


def _tables(variation: Mapping[str, Any]) -> str:
    return f"tables that differ by {json.dumps(variation)}" if variation else "plain tables"
