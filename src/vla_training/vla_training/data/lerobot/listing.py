# SPDX-License-Identifier: Apache-2.0
"""Any LeRobotDataset of v3.0 or v2.1: its description, its episodes' rows, its tasks, and where files are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vla_training.data.lerobot.schema import INFO_PATH, TASKS_PATH, DatasetError

VERSIONS = ("v3.0", "v2.1")
EPISODE_LINES, TASK_LINES = "meta/episodes.jsonl", "meta/tasks.jsonl"  # of v2.1


@dataclass(frozen=True, slots=True)
class Listing:
    """The description of a data set, a row for each episode, and the task texts by their index."""

    folder: Path
    info: dict[str, Any]
    rows: tuple[dict[str, Any], ...]
    tasks: dict[int, str] = field(default_factory=dict)

    @property
    def fps(self) -> float:
        """Frames a second."""
        return float(self.info["fps"])

    @property
    def robot(self) -> str:
        """The robot's name, empty where the set does not say."""
        return str(self.info.get("robot_type") or "")

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """What a frame has, by name."""
        features: dict[str, dict[str, Any]] = self.info["features"]
        return features

    @property
    def frames(self) -> int:
        """Number of frames of all episodes."""
        return sum(int(row["length"]) for row in self.rows)

    @property
    def pictures(self) -> list[str]:
        """The features that are pictures, in the set's order."""
        return [name for name, feature in self.features.items() if feature["dtype"] in ("image", "video")]

    def keys(self, dtype: str) -> list[str]:
        """Return the features of a type."""
        return [name for name, feature in self.features.items() if feature["dtype"] == dtype]

    def width(self, key: str) -> int:
        """Return the number of columns of a feature."""
        return int(np.prod(self.features[key]["shape"], dtype=int))

    def names(self, key: str) -> tuple[str, ...]:
        """Return a name for each column of a feature: the set's own, else numbered ones."""
        flat, width = tuple(_flat(self.features[key].get("names"))), self.width(key)
        if len(flat) == width and len(set(flat)) == width:
            return flat
        return tuple(f"{key.rsplit('.', 1)[-1]}_{i}" for i in range(width))

    def path(self, row: dict[str, Any], video_key: str = "") -> Path:
        """Return the file of an episode's frames, or of its video."""
        number = row["episode_index"]
        prefix = f"videos/{video_key}" if video_key else "data"
        where = {
            "chunk_index": row.get(f"{prefix}/chunk_index"),
            "file_index": row.get(f"{prefix}/file_index"),
            "episode_chunk": number // int(self.info.get("chunks_size", 1000)),
            "episode_index": number,
            "video_key": video_key,
        }
        return self.folder / str(self.info["video_path" if video_key else "data_path"]).format(**where)

    def first_video_frame(self, row: dict[str, Any], key: str) -> int:
        """Return the place of an episode's first frame in its video; since v3.0 episodes share files."""
        return round(float(row.get(f"videos/{key}/from_timestamp") or 0.0) * self.fps)

    def texts(self, row: dict[str, Any]) -> list[str]:
        """Return the task texts of an episode, none of them blank."""
        return [text for text in row.get("tasks") or [] if isinstance(text, str) and text.strip()]


def _flat(names: Any) -> Iterator[str]:
    """Names are a list, or lists in a mapping such as {"motors": [...]}."""
    if isinstance(names, str):
        yield names
    for part in names.values() if isinstance(names, dict) else names if isinstance(names, list | tuple) else ():
        yield from _flat(part)


def open_listing(folder: Path) -> Listing:
    """Read the description and the rows. Raises DatasetError where they are missing, damaged or of another version."""
    path = folder / INFO_PATH
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        version = info["codebase_version"]
        if version not in VERSIONS:
            raise DatasetError(f"{path}: format {version!r}; valid: {', '.join(VERSIONS)}")
        lacking = [key for key in ("features", "data_path", "fps") if key not in info]
        if lacking:
            raise DatasetError(f"{path} lacks {', '.join(lacking)}")
        rows, tasks = (_read_v3 if version == "v3.0" else _read_v21)(folder)
        return Listing(folder, info, tuple(sorted(rows, key=lambda row: row["episode_index"])), tasks)
    except FileNotFoundError as error:
        raise DatasetError(f"no data set at {folder}: {error.filename} is missing") from error
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise DatasetError(f"{folder} is damaged: {error!r}") from error


def _read_v3(folder: Path) -> tuple[list[dict[str, Any]], dict[int, str]]:
    rows: list[dict[str, Any]] = []
    for file in sorted(folder.glob("meta/episodes/*/*.parquet")):
        table = pq.read_table(file)
        rows += table.select([name for name in table.column_names if not name.startswith("stats/")]).to_pylist()
    path = folder / TASKS_PATH
    if not path.is_file():
        return rows, {}
    table = pq.read_table(path)
    # the text is the index of a pandas table: `task`, or without a name
    text = next(name for name in table.column_names if name != "task_index")
    numbers = [int(number) for number in table["task_index"].to_pylist()]
    return rows, dict(zip(numbers, table[text].to_pylist(), strict=True))


def _read_v21(folder: Path) -> tuple[list[dict[str, Any]], dict[int, str]]:
    path = folder / TASK_LINES
    known = _lines(path) if path.is_file() else []
    return _lines(folder / EPISODE_LINES), {int(each["task_index"]): each["task"] for each in known}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
