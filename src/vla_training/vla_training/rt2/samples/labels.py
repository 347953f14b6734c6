# SPDX-License-Identifier: Apache-2.0
"""The expert's actions in the bins of a checkpoint's own action space, which has RT2_TABLETOP's dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vla_policy.action.presets import RT1_TABLETOP, RT2_TABLETOP
from vla_policy.action.space import ActionSpace
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.rt2.normalisation import quantile_ranges

from vla_training.data.frames import FrameTable

Bins = NDArray[np.int64]
TRANSLATION = slice(RT2_TABLETOP.index("x"), RT2_TABLETOP.index("z") + 1)
RANGES = ("fixed", "quantile")


def rt2_bins(tokens: NDArray[np.integer]) -> Bins:
    """Bins (..., 8) of RT2_TABLETOP for tokens (..., 11) of RT1_TABLETOP: the same ranges, terminate for mode."""
    kept = tokens[..., [RT1_TABLETOP.index(name) for name in RT2_TABLETOP.names[1:]]]
    terminate = tokens[..., RT1_TABLETOP.index("mode")] == 0
    return np.concatenate([terminate[..., None], kept], axis=-1).astype(np.int64)


class ActionLabels:
    """Turns a table's tokens into bins of `space`, and bins into values."""

    def __init__(self, space: ActionSpace) -> None:
        self._tokenizer, self._table = ActionTokenizer(space), ActionTokenizer(RT2_TABLETOP)
        self._same = space == RT2_TABLETOP

    def bins(self, tokens: NDArray[np.integer]) -> Bins:
        """Bins (..., 8) of a table's tokens (..., 11)."""
        bins = rt2_bins(tokens)
        return bins if self._same else self._tokenizer.encode(self._table.decode(bins)).tokens.astype(np.int64)

    def values(self, bins: Bins) -> NDArray[np.float64]:
        """Actions (..., 8) in the units of the space."""
        return self._tokenizer.decode(bins)


def action_space(ranges: str, table: FrameTable) -> ActionSpace:
    """RT2_TABLETOP with its fixed ranges, or with translations over the 1 % to 99 % quantiles of the data."""
    if ranges == "fixed":
        return RT2_TABLETOP
    tokens = table.tokens[np.arange(len(table)), table.own_task]
    actions = ActionTokenizer(RT2_TABLETOP).decode(rt2_bins(tokens))
    return quantile_ranges(RT2_TABLETOP, actions, [name in ("x", "y", "z") for name in RT2_TABLETOP.names])
