# SPDX-License-Identifier: Apache-2.0
"""Episodes of any features to a LeRobotDataset v3.0 folder, safely against interruptions at any moment.

Episodes are written in groups: first their frames, then their rows in meta/episodes, which is what makes them count.
Files appear whole or not at all; totals and statistics follow from the rows and are repaired when a folder is opened.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TextIO

import pyarrow.parquet as pq
from vla_core.files import replacing

from vla_training.data.lerobot.columns import Columns, episode_row, episode_table, frame_columns, task_table, to_arrow
from vla_training.data.lerobot.reader import episode_rows, read_tasks
from vla_training.data.lerobot.schema import (
    DATA_PATH,
    EPISODES_PATH,
    INFO_PATH,
    STATS_PATH,
    TASKS_PATH,
    VIDEO_PATH,
    DatasetError,
    Feature,
    frame_schema,
    info,
    place,
)
from vla_training.data.lerobot.stats import Stats, combine, from_columns
from vla_training.data.lerobot.video import write_video

Row = dict[str, Any]


class Pending(NamedTuple):
    """An episode that waits for its group."""

    text: str
    columns: Columns
    extra: Row


class FolderWriter:
    """Appends episodes to a folder, new or not; one writer a folder at a time. Use it as a context manager."""

    def __init__(self, folder: Path, robot: str, fps: int, group: int = 16) -> None:
        """`robot`: its name; `fps`: frames a second; `group`: episodes that share a file, and that a kill may lose.

        Raises DatasetError for a folder of another robot or format, or that another process is writing.
        """
        self.folder, self.robot_name, self.fps = folder, robot, fps
        self._group = group
        self._pending: list[Pending] = []
        self._lock = _lock(folder)
        try:
            self._recover()
        except BaseException:
            self._lock.close()
            raise

    def describe(self) -> dict[str, Feature]:
        """The features of info.json, known at the latest when the first episode is appended."""
        raise NotImplementedError

    def read_existing(self) -> None:
        """Take over what info.json says and refuse what does not go with this writer. Raises DatasetError."""
        raise NotImplementedError

    def append(self, text: str, columns: Columns, extra: Row) -> None:
        """Append one episode: its task, its features (T, ...), and columns of its row beside those of the format."""
        self._pending.append(Pending(text, columns, extra))
        if len(self._pending) >= self._group:
            self.flush()

    def rows(self) -> list[Row]:
        """The rows of the episodes, those that wait with their extra columns alone."""
        return self._rows + [item.extra for item in self._pending]

    def _recover(self) -> None:
        """Take stock of the folder; remove what an interrupted write left behind."""
        self._rows: list[Row] = []
        self._tasks: dict[str, int] = {}
        if (self.folder / INFO_PATH).exists():
            self.read_existing()
            self._rows = episode_rows(self.folder, ())
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

    def __len__(self) -> int:
        return len(self._rows) + len(self._pending)

    def flush(self) -> None:
        """Write what has been added so far."""
        if not self._pending:
            return
        for item in self._pending:
            self._tasks.setdefault(item.text, len(self._tasks))
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
        schema = frame_schema(self.describe())

        def write(path: Path) -> None:
            nonlocal start
            with pq.ParquetWriter(path, schema, compression="snappy") as writer:
                for number, (text, own, extra) in enumerate(self._pending, len(self._rows)):
                    columns = frame_columns(own, number, start, self._tasks[text], self.fps)
                    writer.write_table(to_arrow(columns, schema))
                    rows.append(episode_row(text, extra, number, start, where, columns))
                    start = rows[-1]["dataset_to_index"]

        _replace(self.folder / DATA_PATH.format(**where), write)
        self._write_videos(where, rows)
        return rows

    def _write_videos(self, where: Mapping[str, int], rows: Sequence[Row]) -> None:
        """One file a camera with the frames of all pending episodes; their places in it go into their rows."""
        for key in [name for name, feature in self.describe().items() if feature["dtype"] == "video"]:
            path = self.folder / VIDEO_PATH.format(video_key=key, **where)
            frames = [item.columns[key] for item in self._pending]
            _replace(path, partial(write_video, parts=frames, fps=self.fps))
            first = 0
            for row, images in zip(rows, frames, strict=True):
                row |= {f"videos/{key}/{name}": value for name, value in where.items()}
                row[f"videos/{key}/from_timestamp"] = first / self.fps
                first += len(images)
                row[f"videos/{key}/to_timestamp"] = first / self.fps

    def _write_summary(self) -> None:
        stats = {key: {name: value.tolist() for name, value in part.items()} for key, part in self._stats.items()}
        _replace(self.folder / STATS_PATH, lambda path: path.write_text(json.dumps(stats, indent=4), "utf-8"))
        self._write_info()

    def _write_info(self) -> None:
        frames = self._rows[-1]["dataset_to_index"] if self._rows else 0
        content = info(self.robot_name, self.fps, self.describe(), len(self._rows), frames, len(self._tasks))
        _replace(self.folder / INFO_PATH, lambda path: path.write_text(json.dumps(content, indent=4), "utf-8"))

    def close(self) -> None:
        """Write what is pending and let the folder go."""
        try:
            self.flush()
        finally:
            self._lock.close()

    def __enter__(self) -> Self:
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
