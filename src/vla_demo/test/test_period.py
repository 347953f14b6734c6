# SPDX-License-Identifier: Apache-2.0
"""Figures of tick periods: percentiles are of the periods, and a gap counts the ticks that are missing in it."""

import numpy as np
import pytest
from vla_demo.period import period_figures


def test_regular_ticks() -> None:
    figures = period_figures([0.05] * 1000, 20.0)
    assert figures["period_p50_ms"] == pytest.approx(50.0)
    assert figures["jitter_p99_ms"] == pytest.approx(0.0)
    assert figures["share_within_2_ms"] == 1.0
    assert figures["missed"] == 0


@pytest.mark.parametrize(("gap", "missed"), [(1.4, 0), (1.6, 1), (2.0, 1), (3.1, 2), (10.0, 9)])
def test_a_gap_counts_what_is_missing(gap: float, missed: int) -> None:
    assert period_figures([0.01] * 50 + [0.01 * gap], 100.0)["missed"] == missed


def test_late_and_early_both_are_jitter() -> None:
    rng = np.random.default_rng(0)
    late = rng.choice([0.0, 0.003, -0.003], 5000, p=[0.9, 0.05, 0.05])
    figures = period_figures(0.01 + late, 100.0)
    assert figures["jitter_p99_ms"] == pytest.approx(3.0)
    assert figures["share_within_2_ms"] == pytest.approx(0.9, abs=0.02)
    assert (figures["period_p1_ms"], figures["period_p99_ms"]) == (pytest.approx(7.0), pytest.approx(13.0))


def test_nothing_measured() -> None:
    assert period_figures([], 20.0) == {"ticks": 0}
