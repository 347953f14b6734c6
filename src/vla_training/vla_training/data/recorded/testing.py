# SPDX-License-Identifier: Apache-2.0
"""Data sets of other people's robots that the tests write, in the layout of lerobot's own tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vla_training.data.lerobot.video import write_video

ALOHA_JOINTS = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper")
ALOHA = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in ALOHA_JOINTS)
SO100 = tuple(
    f"{joint}.pos" for joint in ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
)
FR3 = tuple(f"fr3_joint{i}" for i in range(1, 8))


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot as its data sets describe it."""

    name: str
    columns: tuple[str, ...]
    cameras: tuple[str, ...]
    fps: int
    names: str = "list"  # how info.json writes the columns' names: a list, or motors: a mapping to one
    span: float = 1.0  # of its numbers


ALOHA_ROBOT = Robot("aloha", ALOHA, ("cam_high", "cam_left_wrist"), 50, "motors")
SO100_ROBOT = Robot("so100_follower", SO100, ("front",), 30, span=100.0)  # percent of the range of each motor
FR3_ROBOT = Robot("fr3", (*FR3, "gripper"), ("front",), 15)
TASKS = ("pick up the cube", "put the cube in the box")


def positions(robot: Robot, episode: int, frames: int) -> NDArray[np.float32]:
    """Joint positions (frames, n): slow sines; the last column, the gripper, closes in the middle."""
    phase = np.linspace(0.0, 2.0, frames)[:, None] + np.arange(len(robot.columns)) + episode
    values = 0.5 * robot.span * np.sin(phase)
    values[:, -1] = np.where(np.arange(frames) < frames // 2, robot.span, 0.0)
    return values.astype(np.float32)


def image(episode: int, frame: int, size: tuple[int, int] = (48, 64)) -> NDArray[np.uint8]:
    """A picture (H, W, 3) whose grey says which frame of which episode it is."""
    return np.full((*size, 3), 20 * episode + 2 * frame + 20, dtype=np.uint8)


def features(robot: Robot, dtype: str, state: bool = True) -> dict[str, Any]:
    """The features of info.json."""
    names: Any = list(robot.columns) if robot.names == "list" else {robot.names: list(robot.columns)}
    vector = {"dtype": "float32", "shape": [len(robot.columns)], "names": names}
    picture = {"dtype": dtype, "shape": [48, 64, 3], "names": ["height", "width", "channels"]}
    numbers = ("frame_index", "episode_index", "index", "task_index")
    return {
        **({"observation.state": vector} if state else {}),
        "action": vector,
        **{f"observation.images.{camera}": picture for camera in robot.cameras},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        **{name: {"dtype": "int64", "shape": [1], "names": None} for name in numbers},
    }


def columns(robot: Robot, episode: int, frames: int, start: int, dtype: str, state: bool = True) -> dict[str, Any]:
    """The columns of an episode's frames: the action is where the arm goes next."""
    at = positions(robot, episode, frames + 1)
    rows: dict[str, Any] = {"observation.state": list(at[:-1])} if state else {}
    rows |= {"action": list(at[1:]), "timestamp": (np.arange(frames) / robot.fps).astype(np.float32)}
    rows |= {"frame_index": np.arange(frames), "episode_index": np.full(frames, episode)}
    rows |= {"index": np.arange(start, start + frames), "task_index": np.full(frames, episode % len(TASKS))}
    for camera in robot.cameras if dtype == "image" else ():
        rows[f"observation.images.{camera}"] = [_png(image(episode, i)) for i in range(frames)]
    return rows


def _png(picture: NDArray[np.uint8]) -> dict[str, Any]:
    return {"bytes": cv2.imencode(".png", picture)[1].tobytes(), "path": None}


def write_v21(folder: Path, robot: Robot, episodes: int = 4, frames: int = 20, dtype: str = "image") -> Path:
    """Write a set of v2.1: a file for each episode and video, JSON lines for episodes and tasks."""
    (folder / "meta").mkdir(parents=True)
    info = _info(robot, dtype, "v2.1") | {
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    }
    _write(folder / "meta/info.json", json.dumps(info))
    rows = [{"episode_index": i, "tasks": [TASKS[i % len(TASKS)]], "length": frames} for i in range(episodes)]
    _write(folder / "meta/episodes.jsonl", _lines(rows))
    _write(folder / "meta/tasks.jsonl", _lines([{"task_index": i, "task": text} for i, text in enumerate(TASKS)]))
    for number in range(episodes):
        path = folder / info["data_path"].format(episode_chunk=0, episode_index=number)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns(robot, number, frames, number * frames, dtype)), path)
        for camera in robot.cameras if dtype == "video" else ():
            where = {"episode_chunk": 0, "episode_index": number, "video_key": f"observation.images.{camera}"}
            path = folder / info["video_path"].format(**where)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_video(path, [np.stack([image(number, i) for i in range(frames)])], robot.fps)
    return folder


def write_v30(
    folder: Path,
    robot: Robot,
    lengths: Sequence[int] = (20, 20, 20, 20),
    dtype: str = "video",
    per_file: int = 4,
    state: bool = True,
) -> Path:
    """Write a set of v3.0: `per_file` episodes share a file and a video; the tasks' texts are an index without name."""
    (folder / "meta").mkdir(parents=True)
    info = _info(robot, dtype, "v3.0", state) | {
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    }
    _write(folder / "meta/info.json", json.dumps(info))
    tasks = pa.table({"task_index": [0, 1], "__index_level_0__": list(TASKS)})
    pq.write_table(tasks, folder / "meta/tasks.parquet")
    start, rows = 0, []
    for file, first in enumerate(range(0, len(lengths), per_file)):
        numbers = range(first, min(first + per_file, len(lengths)))
        parts, at = [], 0
        for number in numbers:
            length = lengths[number]
            parts.append(pa.table(columns(robot, number, length, start, dtype, state)))
            row = {"episode_index": number, "tasks": [TASKS[number % len(TASKS)]], "length": length}
            row |= {"dataset_from_index": start, "dataset_to_index": start + length}
            row |= {"data/chunk_index": 0, "data/file_index": file}
            for camera in robot.cameras if dtype == "video" else ():
                key = f"videos/observation.images.{camera}"
                row |= {f"{key}/chunk_index": 0, f"{key}/file_index": file}
                row |= {f"{key}/from_timestamp": at / robot.fps, f"{key}/to_timestamp": (at + length) / robot.fps}
            rows.append(row)
            start, at = start + length, at + length
        _parquet(folder / f"data/chunk-000/file-{file:03d}.parquet", pa.concat_tables(parts))
        for camera in robot.cameras if dtype == "video" else ():
            path = folder / f"videos/observation.images.{camera}/chunk-000/file-{file:03d}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_video(path, [np.stack([image(n, i) for i in range(lengths[n])]) for n in numbers], robot.fps)
    _parquet(folder / "meta/episodes/chunk-000/file-000.parquet", pa.Table.from_pylist(rows))
    return folder


def _info(robot: Robot, dtype: str, version: str, state: bool = True) -> dict[str, Any]:
    about = {"codebase_version": version, "robot_type": robot.name, "fps": robot.fps, "chunks_size": 1000}
    return {**about, "features": features(robot, dtype, state)}


def _parquet(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _lines(rows: Sequence[dict[str, Any]]) -> str:
    return "\n".join(map(json.dumps, rows)) + "\n"
