# SPDX-License-Identifier: Apache-2.0
"""A LeRobotDataset v3.0 folder of this package, read back as episode records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from vla_sim.task.task import Task
from vla_sim.world.robots import get_robot
from vla_sim.world.scene import BLOCKS

from vla_training.data.lerobot.schema import (
    ACTION,
    DATA_PATH,
    EXTRA_COLUMNS,
    IMAGE,
    INFO_PATH,
    PROJECTION,
    SCENE,
    STATE,
    TASKS_PATH,
    VARIATION_PATH,
    VERSION,
    DatasetError,
)
from vla_training.data.record import EpisodeRecord


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder and what its episode rows say. Frames are read file by file."""

    folder: Path
    robot: str
    image_size: tuple[int, int]  # (height, width) [px]
    rows: tuple[dict[str, Any], ...]

    @property
    def variation(self) -> dict[str, Any]:
        """How its tables differ, as `vla data` was told; empty for plain ones."""
        return read_variation(self.folder)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return sum(row["length"] for row in self.rows)

    def rows_by_file(self) -> dict[Path, list[dict[str, Any]]]:
        """Data files in the order of their frames, each with the rows of its episodes."""
        files: dict[Path, list[dict[str, Any]]] = {}
        for row in self.rows:
            where = {key: row[f"data/{key}"] for key in ("chunk_index", "file_index")}
            files.setdefault(self.folder / DATA_PATH.format(**where), []).append(row)
        return files

    def records(self, images: bool = True) -> Iterator[EpisodeRecord]:
        """Every episode in order; without `images` theirs are (0, H, W, 3)."""
        for path, rows in self.rows_by_file().items():
            yield from self.read_file(path, rows, images)

    def read_file(self, path: Path, rows: Sequence[dict[str, Any]], images: bool = True) -> Iterator[EpisodeRecord]:
        """The episodes `rows` of one data file. Raises DatasetError when it is missing or damaged."""
        columns = ["episode_index", STATE, SCENE, ACTION, *([IMAGE] if images else [])]
        try:
            table = pq.read_table(path, columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"{path} is missing or damaged: {error}") from error
        numbers = table["episode_index"].to_numpy()
        for row in rows:
            start, count = int(np.searchsorted(numbers, row["episode_index"])), row["length"]
            part = table.slice(start, count)
            if len(part) < count or not (numbers[start : start + count] == row["episode_index"]).all():
                raise DatasetError(f"{path} lacks frames of episode {row['episode_index']}")
            yield self._record(row, part, images)

    def _record(self, row: dict[str, Any], table: pa.Table, images: bool) -> EpisodeRecord:
        robot = get_robot(self.robot)
        joints = len(robot.joint_names) + len(robot.finger_joint_names)
        state, scene = _matrix(table[STATE]), _matrix(table[SCENE])
        task = Task(row["family"], row["object"], row["target"])
        pictures = _pictures(table[IMAGE]) if images else np.zeros((0, *self.image_size, 3), np.uint8)
        return EpisodeRecord(
            robot=self.robot,
            task=task,
            text=row["tasks"][0],
            success=row["success"],
            images=pictures,
            joints=state[:, :joints],
            tcp=state[:, joints : joints + 7],
            width=state[:, joints + 7],
            blocks=scene[:, :-3].reshape(-1, len(BLOCKS), 3),
            bowl=scene[:, -3:],
            actions=_matrix(table[ACTION]),
            projection=None if row.get(PROJECTION) is None else np.reshape(row[PROJECTION], (3, 4)),
        )


def open_dataset(folder: Path) -> Dataset:
    """Read a folder's description. Raises DatasetError when it is missing or of another format."""
    path = folder / INFO_PATH
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        version, robot = info["codebase_version"], info["robot_type"]
        height, width, _ = info["features"][IMAGE]["shape"]
    except FileNotFoundError as error:
        raise DatasetError(f"no data set at {folder}: {INFO_PATH} is missing; `vla data --out` makes one") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} is not the description of a data set of this package: {error!r}") from error
    if version != VERSION:
        raise DatasetError(f"{path}: format {version!r}; this version reads {VERSION!r}")
    get_robot(robot)
    return Dataset(folder, robot, (height, width), tuple(episode_rows(folder)))


def read_variation(folder: Path) -> dict[str, Any]:
    """Return the axes and the number of things of a folder; empty for plain tables. Raises DatasetError."""
    path = folder / VARIATION_PATH
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise DatasetError(f"{path} holds {type(found).__name__}, not an object")
    return found


def episode_rows(folder: Path, wanted: Sequence[str] = EXTRA_COLUMNS) -> list[dict[str, Any]]:
    """Every episode's row, in order. Raises DatasetError for a damaged file, or without the columns `wanted`."""
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("meta/episodes/*/*.parquet")):
        try:
            rows += pq.read_table(path).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"{path} is damaged: {error}") from error
        missing = [name for name in wanted if name not in rows[-1]] if rows else []
        if missing:
            raise DatasetError(f"{path} lacks the columns {missing}: it was not written by `vla data`")
    return rows


def read_tasks(folder: Path) -> dict[str, int]:
    """Instruction text -> task index. Raises DatasetError for a damaged or missing file."""
    path = folder / TASKS_PATH
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path} is missing or damaged: {error}") from error
    return dict(zip(table["task"].to_pylist(), table["task_index"].to_pylist(), strict=True))


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float64]:
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat.reshape(len(column), -1), dtype=np.float64)


def _pictures(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    images = []
    for cell in column.to_pylist():
        image = cv2.imdecode(np.frombuffer(cell["bytes"], np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise DatasetError(f"picture {cell['path']} is damaged")
        images.append(image[:, :, ::-1])
    return np.stack(images)
