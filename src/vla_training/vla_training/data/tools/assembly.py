# SPDX-License-Identifier: Apache-2.0
"""Episodes of several data sets as one of v3.0, without loss: rows are renumbered, videos are copied as they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vla_training.data.lerobot.columns import episode_table, task_table
from vla_training.data.lerobot.episodes import EpisodeFrames, read_frames, read_pictures, rows_by_file
from vla_training.data.lerobot.listing import Listing
from vla_training.data.lerobot.schema import (
    DATA_PATH,
    EPISODES_PATH,
    INFO_PATH,
    MAP_PATH,
    STATS_PATH,
    TASKS_PATH,
    VIDEO_PATH,
    DatasetError,
    info,
    place,
)
from vla_training.data.lerobot.stats import IMAGE_SAMPLES, Stats, column_stats, combine, to_columns

Row = dict[str, Any]
OF_THE_FORMAT = ("data/", "videos/", "meta/", "stats/", "dataset_")  # beginnings of columns that are written anew


@dataclass(frozen=True, slots=True)
class Part:
    """Episodes of a set, by their numbers."""

    listing: Listing
    numbers: frozenset[int]


@dataclass(slots=True)
class _Written:
    """What stands in the new folder so far."""

    folder: Path
    tasks: dict[str, int] = field(default_factory=dict)
    videos: dict[Path, int] = field(default_factory=dict)  # number of each copied file, by where it came from
    episodes: int = 0
    frames: int = 0
    files: int = 0
    stats: dict[str, list[Stats]] = field(default_factory=dict)


def assemble(out: Path, parts: Sequence[Part]) -> tuple[int, int]:
    """Write a new set; return how many episodes and frames it has.

    Raises DatasetError where `out` exists, for sets with other features, and for a faulty episode. The folder appears
    whole or not at all.
    """
    if out.exists():
        raise DatasetError(f"{out} exists; valid is a folder that does not, nothing is written over")
    _check_alike([part.listing for part in parts])
    temporary = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    written = _Written(temporary)
    try:
        for part in parts:
            _add(written, part)
        if not written.episodes:
            raise DatasetError("no episode was chosen; valid is at least one")
        _describe(written, parts)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return written.episodes, written.frames


def _check_alike(listings: Sequence[Listing]) -> None:
    first = listings[0]
    for other in listings[1:]:
        for what in ("robot_type", "fps"):
            if other.info.get(what) != first.info.get(what):
                raise DatasetError(
                    f"{other.folder} has {what} {other.info.get(what)!r}, {first.folder} {first.info.get(what)!r}; "
                    "valid are sets that are alike"
                )
        keys = sorted({*first.features, *other.features})
        for key in [key for key in keys if _shape(first, key) != _shape(other, key)]:
            raise DatasetError(
                f"{other.folder} has {key} as {_shape(other, key)}, {first.folder} as {_shape(first, key)}; valid are "
                "sets with the same features"
            )
    if len({_map_text(listing) for listing in listings}) > 1:
        raise DatasetError(f"the sets were recorded by different observation maps ({MAP_PATH}); valid is one map")


def _shape(listing: Listing, key: str) -> str:
    feature = listing.features.get(key)
    if feature is None:
        return "nothing"
    pictures = feature["dtype"] in ("image", "video")
    return f"{feature['dtype']} {list(feature['shape'])}" + ("" if pictures else f" {list(listing.names(key))}")


def _map_text(listing: Listing) -> str:
    path = listing.folder / MAP_PATH
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _add(written: _Written, part: Part) -> None:
    listing = part.listing
    rows = [row for row in listing.rows if row["episode_index"] in part.numbers]
    chosen = Listing(listing.folder, listing.info, tuple(rows), listing.tasks)
    numeric = [key for key, feature in listing.features.items() if feature["dtype"] not in ("image", "video", "string")]
    episodes: dict[int, EpisodeFrames] = {}
    for episode in read_frames(chosen, numeric):
        if isinstance(episode, DatasetError):
            raise episode
        episodes[episode.number] = episode
    pictures = _picture_stats(chosen)
    for path, of_file in rows_by_file(chosen).items():
        table = pq.read_table(path)
        parts, new = [], []
        for row in sorted(of_file, key=lambda row: int(row["episode_index"])):
            frames = table.filter(pc.equal(table["episode_index"], row["episode_index"]))
            stats = {key: column_stats(values) for key, values in episodes[row["episode_index"]].columns.items()}
            parts.append(_renumbered(written, frames, episodes[row["episode_index"]]))
            new.append(_row(written, chosen, row, stats | pictures[row["episode_index"]]))
        _write_file(written, parts, new)


def _picture_stats(listing: Listing) -> dict[int, dict[str, Stats]]:
    """Of a few pictures of each episode."""
    wanted = {
        int(row["episode_index"]): np.unique(np.linspace(0, row["length"] - 1, IMAGE_SAMPLES).astype(np.int64))
        for row in listing.rows
    }
    found: dict[int, dict[str, Stats]] = {number: {} for number in wanted}
    for key in listing.pictures:
        for number, images in read_pictures(listing, key, wanted):
            found[number][key] = column_stats(np.stack(images))
    return found


def _renumbered(written: _Written, frames: pa.Table, episode: EpisodeFrames) -> pa.Table:
    count = len(frames)
    columns = {
        "episode_index": np.full(count, written.episodes),
        "index": written.frames + np.arange(count),
        "task_index": np.array([written.tasks.setdefault(text, len(written.tasks)) for text in episode.texts]),
    }
    for name, values in columns.items():
        if name in frames.column_names:
            at = frames.schema.get_field_index(name)
            frames = frames.set_column(at, frames.schema.field(at), pa.array(values, frames.schema.field(at).type))
    return frames


def _row(written: _Written, listing: Listing, row: Row, stats: dict[str, Stats]) -> Row:
    """The row of meta/episodes; its videos are copied."""
    number, length, where = written.episodes, int(row["length"]), place(written.files)
    new: Row = {"episode_index": number, "tasks": listing.texts(row), "length": length}
    new |= {f"data/{key}": value for key, value in where.items()}
    new |= {"dataset_from_index": written.frames, "dataset_to_index": written.frames + length}
    new |= {f"meta/episodes/{key}": value for key, value in where.items()}
    for key in listing.keys("video"):
        first = listing.first_video_frame(row, key)
        new |= {f"videos/{key}/{name}": value for name, value in place(_copied(written, listing, row, key)).items()}
        new[f"videos/{key}/from_timestamp"] = first / listing.fps
        new[f"videos/{key}/to_timestamp"] = (first + length) / listing.fps
    new |= {key: value for key, value in row.items() if key not in new and not key.startswith(OF_THE_FORMAT)}
    for key, values in stats.items():
        written.stats.setdefault(key, []).append(values)
    written.episodes, written.frames = number + 1, written.frames + length
    return new | to_columns(stats)


def _copied(written: _Written, listing: Listing, row: Row, key: str) -> int:
    """The number of the copy of an episode's video; episodes that shared a file still do."""
    source = listing.path(row, key)
    if source not in written.videos:
        number = sum(key in path.parts for path in written.videos)
        written.videos[source] = number
        target = written.folder / VIDEO_PATH.format(video_key=key, **place(number))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return written.videos[source]


def _write_file(written: _Written, parts: Sequence[pa.Table], rows: Sequence[Row]) -> None:
    """One data file with a row group for each episode, and one file of their rows."""
    where = place(written.files)
    data, episodes = (written.folder / pattern.format(**where) for pattern in (DATA_PATH, EPISODES_PATH))
    for path in (data, episodes):
        path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(data, parts[0].schema, compression="snappy") as writer:
        for part in parts:
            writer.write_table(part.cast(parts[0].schema))
    pq.write_table(episode_table(rows), episodes)
    written.files += 1


def _describe(written: _Written, parts: Sequence[Part]) -> None:
    first, folder = parts[0].listing, written.folder
    rate = int(first.fps) if first.fps.is_integer() else first.fps
    described = info(first.robot, rate, first.features, written.episodes, written.frames, len(written.tasks))  # type: ignore[arg-type]
    _text(folder / INFO_PATH, json.dumps(described, indent=4))
    stats = {key: combine(values) for key, values in written.stats.items()}
    plain = {key: {name: value.tolist() for name, value in part.items()} for key, part in stats.items()}
    _text(folder / STATS_PATH, json.dumps(plain, indent=4))
    pq.write_table(task_table(written.tasks), folder / TASKS_PATH)
    if text := _map_text(first):
        _text(folder / MAP_PATH, text)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def numbers_of(listing: Listing) -> Iterator[int]:
    """Yield the numbers of a set's episodes."""
    return (int(row["episode_index"]) for row in listing.rows)
