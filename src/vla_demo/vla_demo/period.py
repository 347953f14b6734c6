# SPDX-License-Identifier: Apache-2.0
"""How regular ticks are: figures of measured periods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Figures = dict[str, float]
MISSED = 1.5  # nominal periods between two ticks from which on one was missed
WITHIN_MS = 2.0  # of nominal that is reached for


def period_figures(periods: Sequence[float], rate: float) -> Figures:
    """Figures [ms] of the `periods` [s] between ticks that should come `rate` times a second.

    `jitter` is the distance from nominal, `missed` the ticks that should have been in longer gaps.
    """
    if len(periods) == 0:
        return {"ticks": 0}
    measured, nominal = 1e3 * np.asarray(periods), 1e3 / rate
    jitter = np.abs(measured - nominal)
    return {
        "ticks": len(measured),
        "nominal_ms": nominal,
        **{f"period_p{share}_ms": round(float(np.percentile(measured, share)), 3) for share in (1, 50, 99)},
        "period_max_ms": round(float(measured.max()), 3),
        "jitter_p50_ms": round(float(np.percentile(jitter, 50)), 3),
        "jitter_p99_ms": round(float(np.percentile(jitter, 99)), 3),
        "jitter_p999_ms": round(float(np.percentile(jitter, 99.9)), 3),
        "share_within_2_ms": round(float(np.mean(jitter <= WITHIN_MS)), 6),
        "missed": int(np.sum(np.where(measured > MISSED * nominal, np.round(measured / nominal) - 1, 0))),
    }
