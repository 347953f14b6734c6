# SPDX-License-Identifier: Apache-2.0
"""The layout of a LeRobotDataset v3.0 folder as this package writes it.

meta/info.json                                counts, paths, features
meta/tasks.parquet                            instruction text -> task_index
meta/episodes/chunk-CCC/file-FFF.parquet      one row an episode: length, place of its frames, statistics
meta/stats.json                               statistics over all frames
data/chunk-CCC/file-FFF.parquet               one row a frame, one row group an episode, pictures as PNG inside

Episode rows have more columns than LeRobot asks for: seed, family, object, target, success; where tables vary also the
projection of the camera.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from vla_sim.world.robots import SimRobot
from vla_sim.world.scene import BLOCKS, BOWL

from vla_training.run.errors import TrainingError

VERSION = "v3.0"
FILES_PER_CHUNK = 1000
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
MAP_PATH = "meta/observation_map.yaml"  # what the columns are; no part of the format
VARIATION_PATH = "meta/variation.json"  # how tables differ, where they do; no part of the format
TASKS_PATH, INFO_PATH, STATS_PATH = "meta/tasks.parquet", "meta/info.json", "meta/stats.json"
IMAGE, STATE, SCENE, ACTION = "observation.images.front", "observation.state", "observation.environment_state", "action"
DONE, SUCCESS = "next.done", "next.success"
EXTRA_COLUMNS = ("seed", "family", "object", "target", "success")
PROJECTION = "projection"  # of an episode's camera, (12,) row by row; where tables vary
TCP_NAMES = ("tcp.x", "tcp.y", "tcp.z", "tcp.qx", "tcp.qy", "tcp.qz", "tcp.qw")
ACTION_NAMES = ("delta.x", "delta.y", "delta.z", "gripper.opening", "terminate")

Feature = dict[str, Any]


class DatasetError(TrainingError):
    """A data set that is missing, of another format or robot, or damaged; says which file and what is valid."""


def vector(names: tuple[str, ...]) -> Feature:
    """A vector of float32 with named components."""
    return {"dtype": "float32", "shape": [len(names)], "names": list(names)}


def scalar(dtype: str) -> Feature:
    """One number a frame."""
    return {"dtype": dtype, "shape": [1], "names": None}


def features(robot: SimRobot, image_size: tuple[int, int]) -> dict[str, Feature]:
    """The features of info.json. Lengths in [m], angles in [rad], base frame; objects off the table lie below z = 0.

    The action is what was commanded at the frame: translation, opening (0 closed, 1 open), terminate (0 or 1).
    """
    objects = tuple(f"{name.replace(' ', '_')}.{axis}" for name in (*BLOCKS, BOWL) for axis in "xyz")
    return {
        IMAGE: picture(image_size),
        STATE: vector((*robot.joint_names, *robot.finger_joint_names, *TCP_NAMES, "gripper.width")),
        SCENE: vector(objects),
        ACTION: vector(ACTION_NAMES),
        DONE: scalar("bool"),
        SUCCESS: scalar("bool"),
        **bookkeeping(),
    }


def bookkeeping() -> dict[str, Feature]:
    """The features that every data set has."""
    numbers = ("frame_index", "episode_index", "index", "task_index")
    return {"timestamp": scalar("float32"), **{name: scalar("int64") for name in numbers}}


def picture(size: tuple[int, int], video_fps: int = 0) -> Feature:
    """Pictures of `size` (height, width) [px]: PNG in the rows, or frames of H.264 at `video_fps` [Hz]."""
    shape = {"shape": [*size, 3], "names": ["height", "width", "channels"]}
    if not video_fps:
        return {"dtype": "image", **shape}
    about = {"video.height": size[0], "video.width": size[1], "video.codec": "h264", "video.fps": video_fps}
    about |= {"video.channels": 3, "video.pix_fmt": "yuv420p", "video.is_depth_map": False, "has_audio": False}
    return {"dtype": "video", **shape, "info": about}


def frame_schema(described: dict[str, Feature]) -> pa.Schema:
    """Arrow schema of the data files, with the note by which the `datasets` library knows pictures and shapes."""
    fields: list[pa.Field] = []
    note: dict[str, dict[str, Any]] = {}
    for name, feature in described.items():
        if feature["dtype"] == "video":
            continue  # in files of its own
        if feature["dtype"] == "image":
            kind, note[name] = pa.struct({"bytes": pa.binary(), "path": pa.string()}), {"_type": "Image"}
        elif feature["shape"] == [1]:
            kind = {"bool": pa.bool_(), "float32": pa.float32(), "int64": pa.int64()}[feature["dtype"]]
            note[name] = {"dtype": feature["dtype"], "_type": "Value"}
        else:
            size = feature["shape"][0]
            kind = pa.list_(pa.float32(), size)
            note[name] = {"feature": {"dtype": "float32", "_type": "Value"}, "length": size, "_type": "Sequence"}
        fields.append(pa.field(name, kind))
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": note}})})


def place(index: int) -> dict[str, int]:
    """Chunk and file number of the file written as number `index`."""
    return {"chunk_index": index // FILES_PER_CHUNK, "file_index": index % FILES_PER_CHUNK}


def info(robot: str, fps: int, described: dict[str, Feature], episodes: int, frames: int, tasks: int) -> dict[str, Any]:
    """The content of info.json."""
    return {
        "codebase_version": VERSION,
        "robot_type": robot,
        "total_episodes": episodes,
        "total_frames": frames,
        "total_tasks": tasks,
        "chunks_size": FILES_PER_CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": fps,
        "splits": {"train": f"0:{episodes}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH if any(item["dtype"] == "video" for item in described.values()) else None,
        "features": described,
    }
