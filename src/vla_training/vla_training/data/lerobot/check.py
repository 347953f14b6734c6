# SPDX-License-Identifier: Apache-2.0
"""`vla data check`: any LeRobotDataset of v3.0 or v2.1: what it holds, and which episodes are faulty and why."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vla_training.data.lerobot.schema import INFO_PATH, DatasetError
from vla_training.data.lerobot.video import read_video
from vla_training.run.arguments import Parser

VERSIONS = ("v3.0", "v2.1")
TIME_TOLERANCE = 1e-3  # [s] between a frame's timestamp and frame_index / fps


@dataclass(frozen=True, slots=True)
class Listing:
    """The description of a data set and a row for each episode."""

    folder: Path
    info: dict[str, Any]
    rows: tuple[dict[str, Any], ...]

    def keys(self, dtype: str) -> list[str]:
        """Return the features of a type."""
        return [name for name, feature in self.info["features"].items() if feature["dtype"] == dtype]

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
        if version == "v3.0":
            files = sorted(folder.glob("meta/episodes/*/*.parquet"))
            rows = [row for file in files for row in pq.read_table(file).to_pylist()]
        else:
            lines = (folder / "meta" / "episodes.jsonl").read_text(encoding="utf-8").splitlines()
            rows = [json.loads(line) for line in lines if line.strip()]
        return Listing(folder, info, tuple(sorted(rows, key=lambda row: row["episode_index"])))
    except FileNotFoundError as error:
        raise DatasetError(f"no data set at {folder}: {error.filename} is missing") from error
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise DatasetError(f"{folder} is damaged: {error!r}") from error


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
        yield from ((number, text) for text in _faults_of(listing, row, frames))
        for key in listing.keys("video"):
            video = listing.path(row, key)
            expected[video, key] = expected.get((video, key), 0) + row["length"]
            if not video.is_file():
                yield number, f"{video.relative_to(listing.folder)} is missing"
    yield from _short_videos(listing, expected)


def _faults_of(listing: Listing, row: dict[str, Any], frames: pa.Table) -> Iterator[str]:
    if len(frames) != row["length"]:
        yield f"{len(frames)} frames, and its row says {row['length']}"
    if len(frames) < 2:
        yield "fewer than two frames"
        return
    if not [text for text in row.get("tasks") or [] if text.strip()]:
        yield "no task text"
    due = np.arange(len(frames)) / listing.info["fps"]
    off = np.flatnonzero(np.abs(frames["timestamp"].to_numpy() - due) > TIME_TOLERANCE)
    if len(off):
        yield f"frame {off[0]}: timestamp is not frame_index / fps"
    for key, feature in listing.info["features"].items():
        if feature["dtype"].startswith("float") and key in frames.column_names:
            values = np.array(frames[key].to_pylist(), dtype=object)
            widths = [np.size(value) for value in values]
            wrong = [i for i, width in enumerate(widths) if width != int(np.prod(feature["shape"]))]
            bad = wrong or [i for i, v in enumerate(values) if not np.isfinite(np.asarray(v, dtype=np.float64)).all()]
            if bad:
                what = f"width {widths[bad[0]]}, valid {feature['shape']}" if wrong else f"{values[bad[0]]}"
                yield f"frame {bad[0]}: {key} is {what}"[:200]


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


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla data check`; returns 0, or 1 when an episode is faulty."""
    parser = Parser(prog="vla data check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
