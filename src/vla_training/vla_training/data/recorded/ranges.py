# SPDX-License-Identifier: Apache-2.0
"""Ranges of action columns from data: what a checkpoint keeps, so that its tokens mean the same when it acts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.part import PartKind, Unit
from vla_policy.action.space import ActionSpace, Dimension
from vla_policy.rt2.normalisation import HIGH_QUANTILE, LOW_QUANTILE

FloatArray = NDArray[np.float64]
FEW = 8  # distinct values of a column that switches: its range is that of all values, and its neighbours mean nothing
STILL = 1e-3  # half of the range of a column that never changes


def switches(values: FloatArray) -> NDArray[np.bool_]:
    """Return which columns of (n, d) take few values only, as a gripper that is open or closed."""
    most = min(FEW, max(2, len(values) // 4))
    return np.array([len(np.unique(column)) <= most for column in values.T], dtype=bool)


def quantiles(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the 1 % and 99 % quantiles (d,) of values (n, d), where a row counts as often as its weight (n,) says.

    Columns that switch, or whose quantiles are one value though they change, have their smallest and largest value. A
    column that never changes has a narrow range around it.
    """
    ends = (LOW_QUANTILE, HIGH_QUANTILE)
    low, high = (np.quantile(values, q, axis=0, weights=weights, method="inverted_cdf") for q in ends)
    whole = switches(values) | (low >= high)
    low, high = np.where(whole, values.min(axis=0), low), np.where(whole, values.max(axis=0), high)
    margin = STILL * np.maximum(1.0, np.maximum(np.abs(low), np.abs(high)))
    still = high - low < margin * STILL
    return np.where(still, low - margin, low), np.where(still, high + margin, high)


def space_of(
    names: Sequence[str], low: FloatArray, high: FloatArray, observation_map: ObservationMap | None
) -> ActionSpace:
    """Return the space of recorded actions: a dimension for each column, in the set's own units."""
    units = units_of(observation_map) if observation_map is not None else ["as recorded"] * len(names)
    rows = zip(names, low.tolist(), high.tolist(), units, strict=True)
    dimensions = tuple(Dimension(name, first, last, unit) for name, first, last, unit in rows)
    if observation_map is None or observation_map.action is None:
        return ActionSpace("recorded", dimensions)
    return ActionSpace(f"recorded_{observation_map.name or 'map'}", dimensions, mode=observation_map.action.mode)


def units_of(observation_map: ObservationMap) -> list[str]:
    """Return the unit of each column of a map's action."""
    kinds = {PartKind.TRANSLATION: "m", PartKind.TERMINATE: "1", PartKind.IGNORED: "1"}
    units: list[str] = []
    for part in observation_map.action.parts if observation_map.action else ():
        unit = kinds.get(part.part, part.part.value)
        unit = part.unit.value if part.part is PartKind.JOINTS and part.unit is not Unit.NORMALISED else unit
        unit = part.form.value if part.part is PartKind.ROTATION else unit
        unit = part.sense.value if part.part is PartKind.GRIPPER else unit
        units += ["normalised" if part.normalisation else unit] * part.width
    return units
