# SPDX-License-Identifier: Apache-2.0
"""A recording without its pictures as one NumPy archive, to draw a run again. Nothing in it is unpickled."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from vla_demo.run.samples import ChunkSample, ControllerSample, Episode, PolicySample, Recording, TaskSample

FILE = "recording.npz"
_KINDS: dict[str, type[Any]] = {
    "controller": ControllerSample,
    "chunks": ChunkSample,
    "policy": PolicySample,
    "task": TaskSample,
}
_JOINTS = ("reference", "setpoint", "measured")  # (n,) a sample, NaN where a tick had none
_LEFT_OUT = ("dimension_names", "tokens", "probabilities")  # of the chunks; the timeline does not show them


class RecordingError(ValueError):
    """A file that holds no recording; the text says what was found."""


def save_recording(recording: Recording, title: str, path: Path) -> None:
    """Write `recording` and the `title` of its picture; the file is there whole or not at all."""
    arrays: dict[str, Any] = {
        "title": np.array(title),
        "joint_names": np.array(recording.joint_names, dtype=str),
        "episodes": np.array(json.dumps([asdict(episode) for episode in recording.episodes])),
    }
    for name, kind in _KINDS.items():
        samples: Sequence[Any] = getattr(recording, name)
        for item in fields(kind):
            if item.name not in _LEFT_OUT:
                arrays[f"{name}.{item.name}"] = _column(samples, item.name, len(recording.joint_names))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.tmp.npz")
    np.savez_compressed(temporary, **arrays)
    temporary.replace(path)


def load_recording(path: Path) -> tuple[Recording, str]:
    """The recording in `path` and the title of its picture; raises RecordingError when it holds none."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        recording = Recording(joint_names=tuple(arrays["joint_names"].tolist()))
        for name, kind in _KINDS.items():
            setattr(recording, name, _samples(name, kind, arrays))
        recording.episodes = [Episode(**values) for values in json.loads(str(arrays["episodes"]))]
        return recording, str(arrays["title"])
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise RecordingError(f"{path} is no recording of a run: {error}") from error


def _column(samples: Sequence[Any], name: str, joints: int) -> Any:
    values = [getattr(sample, name) for sample in samples]
    if name not in _JOINTS:
        return np.array(values)
    missing = np.full(joints, math.nan)
    return np.array([row if len(row) == joints else missing for row in values]).reshape(len(values), joints)


def _samples(name: str, kind: type[Any], arrays: dict[str, Any]) -> list[Any]:
    named = [item for item in fields(kind) if item.name not in _LEFT_OUT]
    # An older recording lacks what was added since: its samples take the default.
    kept = [item.name for item in named if item.default is MISSING or f"{name}.{item.name}" in arrays]
    columns = [arrays[f"{name}.{item}"] for item in kept]
    columns = [column if item in _JOINTS else column.tolist() for item, column in zip(kept, columns, strict=True)]
    extra: dict[str, Any] = dict.fromkeys(_LEFT_OUT, ()) if kind is ChunkSample else {}
    return [kind(**dict(zip(kept, row, strict=True)), **extra) for row in zip(*columns, strict=True)]
