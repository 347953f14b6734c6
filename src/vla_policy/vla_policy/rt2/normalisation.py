# SPDX-License-Identifier: Apache-2.0
"""Ranges of an action space from data: quantiles or fixed ones, for the dimensions that a mask names.

Normalising to [-1, 1] and binning that is binning the range itself, so a normalisation is nothing but the ranges of an
ActionSpace: with Rounding.CENTRES and the 1 % and 99 % quantiles, bins and decoded values are exactly OpenVLA's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vla_policy.action.space import ActionSpace
from vla_policy.errors import ActionSpaceError, ConfigurationError

LOW_QUANTILE, HIGH_QUANTILE = 0.01, 0.99
Mask = Sequence[bool] | NDArray[np.bool_] | None


def quantile_ranges(space: ActionSpace, actions: ArrayLike, mask: Mask = None) -> ActionSpace:
    """Return `space` with the 1 % and 99 % quantiles of actions (n, d), in its units, as ranges.

    mask (d,): the dimensions that change, by default all that are not discrete; the others keep their range, as
    OpenVLA's gripper does. Values outside are clipped when encoded, the ActionTokenizer says where. Raises
    ConfigurationError for another shape, numbers that are not finite, or a dimension that hardly moves.
    """
    values = np.asarray(actions, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(space.names) or not len(values) or not np.isfinite(values).all():
        raise ConfigurationError(
            f"actions have shape {values.shape}; valid are (n, {len(space.names)}) finite numbers in the order "
            f"{', '.join(space.names)}"
        )
    low, high = np.quantile(values, [LOW_QUANTILE, HIGH_QUANTILE], axis=0)
    return fixed_ranges(space, low, high, mask)


def fixed_ranges(space: ActionSpace, low: ArrayLike, high: ArrayLike, mask: Mask = None) -> ActionSpace:
    """Return `space` with ranges low (d,) to high (d,), in its units, where `mask` (d,) says so.

    Raises ConfigurationError for another shape, a discrete dimension in the mask, or an invalid range.
    """
    chosen = _checked_mask(space, mask)
    ends = [np.asarray(end, dtype=np.float64) for end in (low, high)]
    if any(end.shape != (len(space.names),) for end in ends):
        raise ConfigurationError(
            f"ranges have shapes {ends[0].shape} and {ends[1].shape}; valid is ({len(space.names)},) in the order "
            f"{', '.join(space.names)}"
        )
    pairs = zip(space.names, ends[0].tolist(), ends[1].tolist(), chosen, strict=True)
    try:
        return space.with_ranges({name: (a, b) for name, a, b, wanted in pairs if wanted})
    except ActionSpaceError as error:
        raise ConfigurationError(f"{error}; a dimension that does not move is left out by the mask") from error


def statistics_ranges(space: ActionSpace, statistics: object) -> ActionSpace:
    """Return `space` with the ranges of an OpenVLA data set's statistics.

    statistics: `{"action": {"q01": [...], "q99": [...], "mask": [...]}}`, mask optional; or that below the name of the
    one data set in it, as in dataset_statistics.json. Raises ConfigurationError.
    """
    if isinstance(statistics, Mapping) and "action" not in statistics and len(statistics) == 1:
        (statistics,) = statistics.values()
    action: Any = statistics.get("action") if isinstance(statistics, Mapping) else None
    if not isinstance(action, Mapping) or not {"q01", "q99"} <= set(action):
        raise ConfigurationError(
            f"statistics are {str(statistics)[:80]}; valid is one data set's object with action, which has lists "
            "q01, q99 and mask"
        )
    try:
        return fixed_ranges(space, action["q01"], action["q99"], action.get("mask"))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"statistics hold no numbers: {error}; valid are lists of them") from error


def _checked_mask(space: ActionSpace, mask: Mask) -> list[bool]:
    discrete = [dimension.discrete for dimension in space.dimensions]
    chosen = [not d for d in discrete] if mask is None else [bool(m) for m in mask]
    if len(chosen) != len(discrete) or any(d and c for d, c in zip(discrete, chosen, strict=True)):
        names = ", ".join(space.names)
        raise ConfigurationError(
            f"mask is {chosen}; valid are {len(discrete)} flags, none for discrete ones of {names}"
        )
    return chosen
