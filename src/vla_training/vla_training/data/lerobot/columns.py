# SPDX-License-Identifier: Apache-2.0
"""An episode record as the columns of a LeRobotDataset v3.0: frames, the episode's row, the task table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vla_training.data.lerobot.schema import ACTION, DONE, IMAGE, SCENE, STATE, SUCCESS
from vla_training.data.lerobot.stats import column_stats, to_columns
from vla_training.data.record import EpisodeRecord

Columns = Mapping[str, NDArray[Any]]
PNG_EFFORT = 3  # of 9


def record_columns(record: EpisodeRecord) -> Columns:
    """The features of a simulated episode, (T, ...) each."""
    last = np.arange(len(record)) == len(record) - 1
    return {
        IMAGE: record.images,
        STATE: np.column_stack([record.joints, record.tcp, record.width]).astype(np.float32),
        SCENE: np.column_stack([record.blocks.reshape(len(record), -1), record.bowl]).astype(np.float32),
        ACTION: record.actions.astype(np.float32),
        DONE: last,
        SUCCESS: last & record.success,
    }


def frame_columns(columns: Columns, number: int, start: int, task_index: int, fps: int) -> Columns:
    """The columns of an episode with those that every data set has; `start` is the index of the first frame."""
    count = len(next(iter(columns.values())))
    frames = np.arange(count)
    return {
        **columns,
        "timestamp": (frames / fps).astype(np.float32),
        "frame_index": frames,
        "episode_index": np.full(count, number),
        "index": frames + start,
        "task_index": np.full(count, task_index),
    }


def to_arrow(columns: Columns, schema: pa.Schema) -> pa.Table:
    """The frames as an Arrow table; pictures become PNG."""
    return pa.table([_array(columns[name], schema.field(name).type) for name in schema.names], schema=schema)


def _array(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    if values.ndim == 4:
        cells = [{"bytes": _png(image), "path": f"frame-{i:06d}.png"} for i, image in enumerate(values)]
        return pa.array(cells, type=kind)
    if values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel(), kind.value_type), type=kind)
    return pa.array(values, type=kind)


def _png(image: NDArray[np.uint8]) -> bytes:
    _, data = cv2.imencode(".png", image[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, PNG_EFFORT])
    return bytes(data)


def episode_row(
    text: str, extra: Mapping[str, Any], number: int, start: int, where: Mapping[str, int], columns: Columns
) -> dict[str, Any]:
    """The episode's row in meta/episodes; `where` is the number of its files, `extra` columns of the writer's own."""
    count = len(columns["index"])
    row: dict[str, Any] = {"episode_index": number, "tasks": [text], "length": count}
    row |= {f"data/{key}": value for key, value in where.items()}
    row |= {"dataset_from_index": start, "dataset_to_index": start + count}
    row |= {f"meta/episodes/{key}": value for key, value in where.items()}
    return row | dict(extra) | to_columns({name: column_stats(values) for name, values in columns.items()})


def episode_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of meta/episodes; a row without another's column has null there, and an unknown seed has its type."""
    names = dict.fromkeys(name for row in rows for name in row)
    table = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
    if "seed" not in table.column_names:
        return table
    seeds = pa.array([row.get("seed") for row in rows], pa.int64())
    return table.set_column(table.schema.get_field_index("seed"), "seed", seeds)


def task_table(tasks: Mapping[str, int]) -> pa.Table:
    """As pandas would write a frame that is indexed by the text: LeRobot reads it with pandas."""
    texts, numbers = list(tasks), list(tasks.values())
    table = pa.table({"task_index": pa.array(numbers, pa.int64()), "task": pa.array(texts, pa.string())})
    kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": stored, "metadata": None}
        for name, (kind, stored) in kinds.items()
    ]
    about = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.0.0"}
    return table.replace_schema_metadata({"pandas": json.dumps(about)})
