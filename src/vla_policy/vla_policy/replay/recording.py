# SPDX-License-Identifier: Apache-2.0
"""The recording format: JSON lines, so that a cut-off file is still readable up to the cut.

First line `{"format": "vla_recording/1", "policy": NAME}`; `{"instruction": TEXT or null}` begins an episode (null: it
serves any instruction); every other line is a chunk as `chunk_to_dict` makes it. NaN is written as null.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from vla_core.action import ActionChunk, ActionMode, ActionStep, ActionValueError, DeltaReference
from vla_core.rotation import Pose

from vla_policy.errors import CheckpointError

FORMAT = "vla_recording/1"


@dataclass(frozen=True, slots=True)
class Episode:
    """The chunks that were made for one instruction; None serves any."""

    instruction: str | None
    chunks: tuple[ActionChunk, ...]


def step_to_dict(step: ActionStep) -> dict[str, Any]:
    """Return the JSON form of a step."""
    return {
        "translation": step.translation.tolist(),
        "rotation_vector": step.rotation_vector.tolist(),
        "gripper": None if math.isnan(step.gripper) else step.gripper,
        "base": step.base.tolist(),
        "terminate": step.terminate,
        "joints": None if step.joints is None else step.joints.tolist(),
        "pose": None if step.pose is None else [*step.pose.position.tolist(), *step.pose.quaternion.tolist()],
    }


def chunk_to_dict(chunk: ActionChunk) -> dict[str, Any]:
    """Return the JSON form of a chunk."""
    probabilities = chunk.token_probabilities
    return {
        "observation_stamp": chunk.stamp,
        "mode": ActionMode(chunk.mode).name.lower(),
        "delta_reference": DeltaReference(chunk.delta_reference).name.lower(),
        "period_s": chunk.period,
        "steps": [step_to_dict(step) for step in chunk.steps],
        "tokens": None if chunk.tokens is None else chunk.tokens.tolist(),
        "token_probabilities": None if probabilities is None else probabilities.tolist(),
        "legal_mass": None if chunk.legal_mass is None else _with_null(chunk.legal_mass),
        "plan": chunk.plan,
        "dimension_names": list(chunk.dimension_names),
        "joint_names": list(chunk.joint_names),
    }


def _with_null(array: np.ndarray[Any, Any]) -> list[list[float | None]]:
    return [[None if math.isnan(value) else value for value in row] for row in array.tolist()]


def _numbers(data: Mapping[str, Any], key: str, size: int | None) -> np.ndarray[Any, np.dtype[np.float64]]:
    array = np.asarray(data[key], dtype=np.float64)
    if array.ndim != 1 or (size is not None and array.size != size):
        raise ValueError(f"{key} has shape {array.shape}; valid is ({'n' if size is None else size},)")
    return array


def _pose(numbers: np.ndarray[Any, np.dtype[np.float64]]) -> Pose:
    return Pose(numbers[:3], numbers[3:])


def step_from_dict(data: Mapping[str, Any]) -> ActionStep:
    """Read the JSON form of a step. Raises KeyError, TypeError or ValueError."""
    return ActionStep(
        translation=_numbers(data, "translation", 3),
        rotation_vector=_numbers(data, "rotation_vector", 3),
        gripper=math.nan if data["gripper"] is None else float(data["gripper"]),
        base=_numbers(data, "base", 3),
        terminate=bool(data["terminate"]),
        joints=None if data["joints"] is None else _numbers(data, "joints", None),
        pose=None if data["pose"] is None else _pose(_numbers(data, "pose", 7)),
    )


def chunk_from_dict(data: Mapping[str, Any]) -> ActionChunk:
    """Read the JSON form of a chunk. Raises ActionValueError, KeyError, TypeError or ValueError."""
    tokens, probabilities, mass = data["tokens"], data["token_probabilities"], data.get("legal_mass")
    return ActionChunk(
        stamp=float(data["observation_stamp"]),
        mode=ActionMode[data["mode"].upper()],
        delta_reference=DeltaReference[data["delta_reference"].upper()],
        period=float(data["period_s"]),
        steps=tuple(step_from_dict(item) for item in data["steps"]),
        tokens=None if tokens is None else np.asarray(tokens, dtype=np.uint16),
        token_probabilities=None if probabilities is None else np.asarray(probabilities, dtype=np.float32),
        legal_mass=None if mass is None else np.array(mass, dtype=np.float32),  # null becomes NaN
        plan=str(data.get("plan", "")),  # older recordings have none
        dimension_names=tuple(data["dimension_names"]),
        joint_names=tuple(data["joint_names"]),
    ).checked()


def _parse_line(text: str) -> str | ActionChunk | None:
    """Return the instruction of an episode's first line, or the chunk."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("a line is an object")
    if "instruction" not in data:
        return chunk_from_dict(data)
    if data["instruction"] is not None and not isinstance(data["instruction"], str):
        raise ValueError("instruction is a text or null")
    return data["instruction"]


def read_recording(path: str | Path) -> tuple[Episode, ...]:
    """Read a recording. Raises CheckpointError with the file, the line and what is wrong with it."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"recording {path} cannot be read: {error}") from error
    header = lines[0] if lines else ""
    if f'"{FORMAT}"' not in header:
        raise CheckpointError(f"recording {path} begins with {header[:80]!r}; valid is a line with format {FORMAT!r}")
    episodes: list[tuple[str | None, list[ActionChunk]]] = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            item = _parse_line(line)
        except (ActionValueError, AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise CheckpointError(f"recording {path}, line {number}: {type(error).__name__}: {error}") from error
        if isinstance(item, ActionChunk):
            if not episodes:
                raise CheckpointError(f"recording {path}, line {number}: a chunk before the first instruction line")
            episodes[-1][1].append(item)
        else:
            episodes.append((item, []))
    if not episodes:
        raise CheckpointError(f"recording {path} holds no episode; valid is at least one instruction line")
    return tuple(Episode(instruction, tuple(chunks)) for instruction, chunks in episodes)
