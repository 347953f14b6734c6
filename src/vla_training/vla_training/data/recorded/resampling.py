# SPDX-License-Identifier: Apache-2.0
"""Recorded frames to the policy's rate: which frames are kept, and what was commanded until the next one that is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from vla_core.action import ActionMode
from vla_core.observation_map.observation_map import Action, ActionFrame
from vla_core.observation_map.part import PartKind
from vla_policy.mapping.columns import numbers_of, split
from vla_policy.mapping.rotations import read_rotations, write_rotations

FloatArray = NDArray[np.float64]
Frames = NDArray[np.int64]
DELTAS = (ActionMode.EE_DELTA, ActionMode.JOINT_DELTA)


def kept_frames(count: int, fps: float, rate: float) -> Frames:
    """Return the frames nearest to the times k / rate [s], of `count` at `fps`; rate is at most fps [Hz]."""
    steps = int(np.floor((count - 1) * rate / fps + 1e-9)) + 1
    nearest = np.floor(np.arange(steps) * fps / rate + 0.5)
    return np.asarray(np.minimum(nearest, count - 1), dtype=np.int64)


def composed(actions: FloatArray, kept: Frames, action: Action | None) -> FloatArray:
    """Return for each kept frame (k, d) the one action that stands for those until the next kept one.

    Targets: the last one. Deltas: one after another. Velocities: their mean. Plain numbers (action None): the last one.
    """
    ends = np.append(kept[1:], len(actions))
    if action is None or len(kept) == len(actions):
        return np.asarray(actions[ends - 1])
    parts = [_part(action, part.part, values, kept, ends, part.form) for part, values in split(action.parts, actions)]
    return np.column_stack([numbers_of(part, values) for part, values in zip(action.parts, parts, strict=True)])


def _part(action: Action, kind: PartKind, values: FloatArray, kept: Frames, ends: Frames, form: object) -> FloatArray:
    """The physical values (k, w) of one part."""
    if kind is PartKind.BASE or (kind is PartKind.JOINTS and action.mode is ActionMode.JOINT_VELOCITY):
        return np.asarray(np.add.reduceat(values, kept, axis=0) / (ends - kept)[:, None])
    if kind is PartKind.TERMINATE:
        return np.asarray(np.maximum.reduceat(values, kept, axis=0))
    if action.mode in DELTAS and kind in (PartKind.JOINTS, PartKind.TRANSLATION):
        return np.asarray(np.add.reduceat(values, kept, axis=0))
    if action.mode in DELTAS and kind is PartKind.ROTATION:
        return _turns(action, values, kept, ends, form)
    return values[ends - 1]


def _turns(action: Action, values: FloatArray, kept: Frames, ends: Frames, form: object) -> FloatArray:
    """Turns one after another: about the base's axes from the left, about the tool's own from the right."""
    single = read_rotations(form, values)  # type: ignore[arg-type]
    total = single[kept]
    for step in range(1, int((ends - kept).max())):
        more = np.flatnonzero(kept + step < ends)
        by = Rotation.identity(len(kept)).as_quat()
        by[more] = single[kept[more] + step].as_quat()
        turn = Rotation.from_quat(by)
        total = total * turn if action.frame is ActionFrame.TOOL else turn * total
    return write_rotations(form, total)  # type: ignore[arg-type]
