# SPDX-License-Identifier: Apache-2.0
"""`vla data check`: any LeRobotDataset of v3.0 or v2.1: what it holds, and which episodes are faulty and why."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vla_training.data.lerobot.listing import Listing, open_listing
from vla_training.data.lerobot.schema import DatasetError
from vla_training.data.lerobot.video import read_video
from vla_training.run.arguments import Parser

TIME_TOLERANCE = 1e-3  # [s] between a frame's timestamp and frame_index / fps


def faults(listing: Listing) -> Iterator[tuple[int, str]]:
    """Yield (episode, what is wrong with it)."""
    tables: dict[Path, pa.Table | str] = {}
    expected: dict[tuple[Path, str], int] = {}
    for row in listing.rows:
        number, path = row["episode_index"], listing.path(row)
        if path not in tables:
            try:
                tables = {path: pq.read_table(path)}  # one at a time: they are large
            except (OSError, pa.ArrowException) as error:
                tables = {path: f"{path.relative_to(listing.folder)} is missing or damaged: {str(error)[:120]}"}
        table = tables[path]
        if isinstance(table, str):
            yield number, table
            continue
        frames = table.filter(pc.equal(table["episode_index"], number))
        yield from ((number, text) for text in (*faults_of(listing, row, frames), *_late(listing, frames)))
        for key in listing.keys("video"):
            video = listing.path(row, key)
            expected[video, key] = expected.get((video, key), 0) + row["length"]
            if not video.is_file():
                yield number, f"{video.relative_to(listing.folder)} is missing"
    yield from _short_videos(listing, expected)


def faults_of(
    listing: Listing, row: dict[str, Any], frames: pa.Table, keys: Sequence[str] | None = None
) -> Iterator[str]:
    """Yield what is wrong with the frames of an episode, in the features `keys` or in all."""
    if len(frames) != row["length"]:
        yield f"{len(frames)} frames, and its row says {row['length']}"
    if len(frames) < 2:
        yield "fewer than two frames"
        return
    if not listing.texts(row):
        yield "no task text"
    for key in listing.features if keys is None else keys:
        if listing.features[key]["dtype"].startswith("float") and key in frames.column_names:
            yield from _bad_numbers(key, frames[key], listing.features[key]["shape"])


def _bad_numbers(key: str, column: pa.ChunkedArray, shape: Sequence[int]) -> Iterator[str]:
    """Yield the first frame of another width, or with a number that is not finite."""
    width = int(np.prod(shape, dtype=int))
    for i, cell in enumerate(column.to_pylist()):
        value = np.asarray(cell, dtype=np.float64)
        if value.size != width:
            yield f"frame {i}: {key} is width {value.size}, valid {list(shape)}"
            return
        if not np.isfinite(value).all():
            yield f"frame {i}: {key} is {cell}"[:200]
            return


def _late(listing: Listing, frames: pa.Table) -> Iterator[str]:
    due = np.arange(len(frames)) / listing.fps
    off = np.flatnonzero(np.abs(frames["timestamp"].to_numpy() - due) > TIME_TOLERANCE)
    if len(frames) > 1 and len(off):
        yield f"frame {off[0]}: timestamp is not frame_index / fps"


def _short_videos(listing: Listing, expected: dict[tuple[Path, str], int]) -> Iterator[tuple[int, str]]:
    for (video, key), wanted in expected.items():
        if not video.is_file():
            continue
        try:
            found = sum(1 for _ in read_video(video))
        except DatasetError as error:
            found, reason = 0, str(error)
        else:
            reason = f"{video.relative_to(listing.folder)} has {found} frames, its episodes {wanted}"
        for row in [row for row in listing.rows if listing.path(row, key) == video]:
            last = round(
                row.get(f"videos/{key}/to_timestamp", row["length"] / listing.info["fps"]) * listing.info["fps"]
            )
            if found < last:
                yield row["episode_index"], reason


def describe(listing: Listing) -> str:
    """Return what a data set holds, one fact a line."""
    info, rows = listing.info, listing.rows
    tasks = sorted({text for row in rows for text in row.get("tasks") or []})
    frames = sum(row["length"] for row in rows)
    lines = [
        f"format {info['codebase_version']}, robot {info.get('robot_type')}, {info['fps']} Hz",
        f"{len(rows)} episodes, {frames} frames, {frames / info['fps']:.1f} s",
        f"{len(tasks)} tasks: {', '.join(map(repr, tasks[:5]))}" + (", …" if len(tasks) > 5 else ""),
    ]
    lines += [f"{name}: {item['dtype']} {item['shape']}" for name, item in info["features"].items()]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None, prog: str = "vla data check") -> int:
    """Entry point of `vla data check`; returns 0, or 1 when an episode is faulty."""
    parser = Parser(prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the data set")
    parser.add_argument("--info", action="store_true", help="only say what it holds")
    options = parser.parse_args(argv)
    listing = open_listing(options.folder)
    print(describe(listing))
    found = [] if options.info else list(faults(listing))
    for number, text in found:
        print(f"episode {number}: {text}")
    if not options.info:
        print(f"{len({number for number, _ in found})} of {len(listing.rows)} episodes are faulty")
    return 1 if found else 0
