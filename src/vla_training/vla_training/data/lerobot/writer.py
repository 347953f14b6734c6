# SPDX-License-Identifier: Apache-2.0
"""Episodes to a LeRobotDataset v3.0 folder, safely against interruptions at any moment.

Episodes are written in groups: first their frames, then their rows in meta/episodes, which is what makes them count.
Files appear whole or not at all; totals and statistics follow from the rows and are repaired when a folder is opened.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import pyarrow.parquet as pq
from vla_core.files import replacing
from vla_sim.world.robots import get_robot

from vla_training.data.lerobot.columns import episode_row, episode_table, frame_columns, task_table, to_arrow
from vla_training.data.lerobot.reader import Dataset, open_dataset, read_tasks
from vla_training.data.lerobot.schema import (
    DATA_PATH,
    EPISODES_PATH,
    INFO_PATH,
    STATS_PATH,
    TASKS_PATH,
    DatasetError,
    features,
    frame_schema,
    info,
    place,
)
from vla_training.data.lerobot.stats import Stats, combine, from_columns
from vla_training.data.record import EpisodeRecord

__all__ = ["Dataset", "DatasetError", "DatasetWriter", "open_dataset"]

Row = dict[str, Any]


class DatasetWriter:
    """Appends episodes to a folder, new or not; one writer a folder at a time. Use it as a context manager."""

    def __init__(self, folder: Path, robot: str, fps: int = 5, group: int = 16) -> None:
        """`fps`: the policy's rate [Hz]; `group`: episodes that share a file, and that a killed process may lose.

        Raises DatasetError for a folder of another robot or format, or that another process is writing.
        """
        self.folder, self.robot, self.fps = folder, get_robot(robot), fps
        self._group = group
        self._pending: list[tuple[EpisodeRecord, int | None]] = []
        self._lock = _lock(folder)
        try:
            self._recover()
        except BaseException:
            self._lock.close()
            raise

    def _recover(self) -> None:
        """Take stock of the folder; remove what an interrupted write left behind."""
        self._rows: list[Row] = []
        self._tasks: dict[str, int] = {}
        self._image_size: tuple[int, int] | None = None
        if (self.folder / INFO_PATH).exists():
            existing = open_dataset(self.folder)
            if existing.robot != self.robot.name:
                raise DatasetError(f"{self.folder} holds episodes of {existing.robot}, not of {self.robot.name}")
            self._rows, self._image_size = list(existing.rows), existing.image_size
            self._tasks = read_tasks(self.folder) if self._rows else {}
        self._files = len(list(self.folder.glob("meta/episodes/*/*.parquet")))
        self._remove_leftovers()
        self._stats: dict[str, Stats] = _combined([from_columns(row) for row in self._rows])
        if self._rows:
            self._write_summary()

    def _remove_leftovers(self) -> None:
        """Frames of a group whose rows were never written, and half-written files."""
        used = {(row["data/chunk_index"], row["data/file_index"]) for row in self._rows}
        whole = {self.folder / DATA_PATH.format(chunk_index=c, file_index=f) for c, f in used}
        unknown = set(self.folder.glob("data/*/*.parquet")) - whole
        leftover = self.folder / DATA_PATH.format(**place(self._files))
        if unknown - {leftover}:
            raise DatasetError(f"{self.folder} holds frames of unknown episodes: {sorted(unknown)[0]}")
        leftover.unlink(missing_ok=True)
        for name in ("data", "meta"):
            for path in (self.folder / name).rglob(".*.tmp"):
                path.unlink()

    @property
    def seeds(self) -> set[int]:
        """Seeds of the episodes that the folder holds, with those still to be written."""
        written = {row["seed"] for row in self._rows} | {seed for _, seed in self._pending}
        return {seed for seed in written if seed is not None}

    @property
    def outcomes(self) -> list[tuple[str, bool]]:
        """(family, success) of each episode, in order."""
        written = [(row["family"], row["success"]) for row in self._rows]
        return written + [(record.task.family, record.success) for record, _ in self._pending]

    def __len__(self) -> int:
        return len(self._rows) + len(self._pending)

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
        self._pending.append((record, seed))
        if len(self._pending) >= self._group:
            self.flush()

    def flush(self) -> None:
        """Write what has been added so far."""
        if not self._pending:
            return
        for record, _ in self._pending:
            self._tasks.setdefault(record.text, len(self._tasks))
        rows = self._write_frames()
        _replace(self.folder / TASKS_PATH, lambda path: pq.write_table(task_table(self._tasks), path))
        if not self._rows:
            self._write_info()  # so that a folder with rows always says what it is
        table = episode_table(rows)
        _replace(self.folder / EPISODES_PATH.format(**place(self._files)), lambda path: pq.write_table(table, path))
        self._files += 1
        self._rows += rows
        self._pending.clear()
        self._stats = _combined([self._stats, *(from_columns(row) for row in rows)])
        self._write_summary()

    def _write_frames(self) -> list[Row]:
        """One data file with a row group for each pending episode; the episodes' rows."""
        where, rows = place(self._files), []
        start = self._rows[-1]["dataset_to_index"] if self._rows else 0
        schema = frame_schema(features(self.robot, self._image_size or (0, 0)))

        def write(path: Path) -> None:
            nonlocal start
            with pq.ParquetWriter(path, schema, compression="snappy") as writer:
                for number, (record, seed) in enumerate(self._pending, len(self._rows)):
                    columns = frame_columns(record, number, start, self._tasks[record.text], self.fps)
                    writer.write_table(to_arrow(columns, schema))
                    rows.append(episode_row(record, seed, number, start, where, columns))
                    start += len(record)

        _replace(self.folder / DATA_PATH.format(**where), write)
        return rows

    def _write_summary(self) -> None:
        stats = {key: {name: value.tolist() for name, value in part.items()} for key, part in self._stats.items()}
        _replace(self.folder / STATS_PATH, lambda path: path.write_text(json.dumps(stats, indent=4), "utf-8"))
        self._write_info()

    def _write_info(self) -> None:
        described = features(self.robot, self._image_size or (0, 0))
        frames = self._rows[-1]["dataset_to_index"] if self._rows else 0
        content = info(self.robot.name, self.fps, described, len(self._rows), frames, len(self._tasks))
        _replace(self.folder / INFO_PATH, lambda path: path.write_text(json.dumps(content, indent=4), "utf-8"))

    def close(self) -> None:
        """Write what is pending and let the folder go."""
        try:
            self.flush()
        finally:
            self._lock.close()

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _lock(folder: Path) -> TextIO:
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / ".lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise DatasetError(f"another process is writing to {folder}") from error
    return file


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, then put it in its place in one step."""
    with replacing(path) as temporary:
        write(temporary)


def _combined(parts: Sequence[dict[str, Stats]]) -> dict[str, Stats]:
    parts = [part for part in parts if part]
    return {key: combine([part[key] for part in parts]) for key in parts[0]} if parts else {}
