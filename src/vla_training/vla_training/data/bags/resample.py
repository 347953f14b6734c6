# SPDX-License-Identifier: Apache-2.0
"""Series with stamps at the times of a grid. Times are [ns]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

Times = NDArray[np.int64]
FloatArray = NDArray[np.float64]
S = 1e9  # [ns] in a second


def grid(first_ns: int, last_ns: int, rate_hz: float) -> Times:
    """Return the times first, first + 1 / rate, ... up to `last_ns`."""
    count = int(np.floor((last_ns - first_ns) * rate_hz / S + 1e-9)) + 1
    return first_ns + np.round(np.arange(max(count, 0)) * (S / rate_hz)).astype(np.int64)


def nearest(stamps: Times, wanted: Times) -> NDArray[np.intp]:
    """Return for each wanted time the index of the nearest of rising `stamps`, of two equally near the earlier."""
    right = np.clip(np.searchsorted(stamps, wanted), 1, max(len(stamps) - 1, 1))
    right = np.minimum(right, len(stamps) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(wanted - stamps[left] <= stamps[right] - wanted, left, right)


def latest(stamps: Times, wanted: Times) -> NDArray[np.intp]:
    """Return for each wanted time the index of the latest of rising `stamps` not after it, or the first."""
    return np.maximum(np.searchsorted(stamps, wanted, side="right") - 1, 0)


def linear(stamps: Times, values: FloatArray, wanted: Times) -> FloatArray:
    """Return `values` (n, d) at the wanted times, linear between stamps, constant beyond the ends."""
    origin = stamps[0]
    at, known = (wanted - origin) / S, (stamps - origin) / S
    return np.column_stack([np.interp(at, known, column) for column in values.T])


def poses(stamps: Times, values: FloatArray, wanted: Times) -> FloatArray:
    """Return poses (n, 7), x y z and quaternion x y z w, at the wanted times: linear, and slerp for the rotation."""
    if len(stamps) == 1:
        return np.repeat(values, len(wanted), axis=0)
    at = np.clip(wanted, stamps[0], stamps[-1])
    turns = Slerp((stamps - stamps[0]) / S, Rotation.from_quat(values[:, 3:]))((at - stamps[0]) / S)
    return np.column_stack([linear(stamps, values[:, :3], wanted), turns.as_quat()])


def gaps(stamps: Times, limit_s: float) -> list[tuple[float, float]]:
    """Return (time after the first stamp, length) [s] of the intervals that are longer than `limit_s`."""
    steps = np.diff(stamps)
    return [((stamps[i] - stamps[0]) / S, steps[i] / S) for i in np.flatnonzero(steps > limit_s * S)]
