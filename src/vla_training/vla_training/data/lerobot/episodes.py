# SPDX-License-Identifier: Apache-2.0
"""Frames of any LeRobotDataset, episode by episode: numbers with their task texts, and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vla_training.data.lerobot.check import faults_of
from vla_training.data.lerobot.listing import Listing
from vla_training.data.lerobot.schema import DatasetError
from vla_training.data.lerobot.video import read_video

Images = NDArray[np.uint8]
Row = dict[str, Any]
BOOKKEEPING = ("episode_index", "task_index")


@dataclass(frozen=True, slots=True)
class EpisodeFrames:
    """The T frames of an episode; columns: (T, w) by feature; texts: the task of each frame."""

    number: int
    columns: dict[str, NDArray[np.float64]]
    texts: tuple[str, ...]
    success: bool | None  # None: the set does not say

    def __len__(self) -> int:
        return len(self.texts)


def read_frames(listing: Listing, keys: Sequence[str]) -> Iterator[EpisodeFrames | DatasetError]:
    """Yield the episodes with the features `keys`, and for a faulty one the error that names it and its frame."""
    wanted = [key for key in dict.fromkeys((*keys, "next.success")) if key in listing.features]
    for path, rows in rows_by_file(listing).items():
        table = _table(listing, path, list(dict.fromkeys((*BOOKKEEPING, *wanted))))
        for row in rows:
            if isinstance(table, str):
                yield _error(listing, row, table)
                continue
            frames = table.filter(pc.equal(table["episode_index"], row["episode_index"]))
            fault = next(faults_of(listing, row, frames, wanted), None)
            yield _error(listing, row, fault) if fault else _episode(listing, row, frames, wanted)


def rows_by_file(listing: Listing, video_key: str = "") -> dict[Path, list[Row]]:
    """Return the rows of the episodes by the file of their frames, or of their video."""
    files: dict[Path, list[Row]] = {}
    for row in listing.rows:
        files.setdefault(listing.path(row, video_key), []).append(row)
    return files


def _table(listing: Listing, path: Path, columns: Sequence[str]) -> pa.Table | str:
    try:
        return pq.read_table(path, columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        return f"{path.relative_to(listing.folder)} is missing or damaged: {str(error)[:120]}"


def _error(listing: Listing, row: Row, text: str) -> DatasetError:
    return DatasetError(f"{listing.folder}, episode {row['episode_index']}: {text}")


def _episode(listing: Listing, row: Row, frames: pa.Table, keys: Sequence[str]) -> EpisodeFrames | DatasetError:
    numbers = {key: np.array(frames[key].to_pylist(), dtype=np.float64).reshape(len(frames), -1) for key in keys}
    ended = numbers.get("next.success")
    success = row.get("success") if ended is None else bool(ended.any())
    indices, first = frames["task_index"].to_pylist(), listing.texts(row)[0]
    texts = [listing.tasks.get(int(index), "" if listing.tasks else first) for index in indices]
    if blank := [i for i, text in enumerate(texts) if not str(text).strip()]:
        return _error(listing, row, f"frame {blank[0]}: task_index {indices[blank[0]]} has no task text")
    return EpisodeFrames(row["episode_index"], numbers, tuple(map(str, texts)), success)


def read_pictures(
    listing: Listing, key: str, wanted: Mapping[int, NDArray[np.int64]]
) -> Iterator[tuple[int, list[Images]]]:
    """Yield (episode, its pictures (H, W, 3)) at the `wanted` rising frames of the episodes, file by file.

    Raises DatasetError that names the episode and the frame whose picture is missing or damaged.
    """
    video = listing.features[key]["dtype"] == "video"
    for path, rows in rows_by_file(listing, key if video else "").items():
        asked = [row for row in rows if row["episode_index"] in wanted]
        if asked:
            yield from (_from_video if video else _from_table)(listing, key, path, asked, wanted)


def _from_table(
    listing: Listing, key: str, path: Path, rows: Sequence[Row], wanted: Mapping[int, NDArray[np.int64]]
) -> Iterator[tuple[int, list[Images]]]:
    table = _table(listing, path, ["episode_index", key])
    for row in rows:
        if isinstance(table, str):
            raise _error(listing, row, table)
        cells = table.filter(pc.equal(table["episode_index"], row["episode_index"]))[key]
        frames = wanted[row["episode_index"]].tolist()
        yield row["episode_index"], [_decoded(listing, row, frame, cells[frame].as_py()) for frame in frames]


def _decoded(listing: Listing, row: Row, frame: int, cell: Any) -> Images:
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise _error(listing, row, f"frame {frame}: its picture is missing or damaged")
    return np.ascontiguousarray(image[:, :, ::-1])


def _from_video(
    listing: Listing, key: str, path: Path, rows: Sequence[Row], wanted: Mapping[int, NDArray[np.int64]]
) -> Iterator[tuple[int, list[Images]]]:
    """Decode the file once; the episodes in it are taken in the order of their frames."""
    frames, at = read_video(path), -1
    image: Images | None = None
    for row in sorted(rows, key=lambda row: listing.first_video_frame(row, key)):
        first, images = listing.first_video_frame(row, key), []
        for frame in wanted[row["episode_index"]].tolist():
            if first + frame < at:  # episodes that share frames
                frames, at = read_video(path), -1
            try:
                while at < first + frame:
                    image, at = next(frames), at + 1
            except StopIteration:
                name = path.relative_to(listing.folder)
                text = f"frame {frame}: {name} has {at + 1} frames, this is frame {first + frame} of it"
                raise _error(listing, row, text) from None
            except DatasetError as error:
                raise _error(listing, row, str(error)) from error
            assert image is not None
            images.append(image)
        yield row["episode_index"], images
