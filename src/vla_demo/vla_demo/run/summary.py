# SPDX-License-Identifier: Apache-2.0
"""The figures of a run, all from what was heard on the topics."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vla_demo.run.samples import ChunkSample, ControllerSample, Episode, Recording, between, within

Figures = dict[str, Any]


def summarize(recording: Recording, policy: str, robot: str) -> Figures:
    """The summary of a run. Rates and times count only while the arm was at work; None where nothing was heard."""
    spans = recording.spans()
    ticks = list(within(recording.controller, spans))
    periods = [1e3 * tick.tick_period for tick in ticks]
    factors = [sample.real_time_factor for sample in within(recording.task, spans)]
    return {
        "episodes": [_episode(episode) for episode in recording.episodes],
        "success_rate": success_rate(recording.episodes),
        "policy_hz": _rounded(policy_rate(recording.chunks, spans)),
        "controller_hz": _rounded(controller_rate(ticks)),
        "controller_period_ms": _spread(periods, ("p50", "p99", "max")),
        "stamp_to_setpoint_ms": _spread([1e3 * delay for delay in stamp_to_setpoint(ticks)], ("p50", "p99", "max")),
        "real_time_factor": _rounded(_mean(factors)),
        "policy": policy,
        "robot": robot,
    }


def per_family(episodes: Iterable[Episode]) -> dict[str, Figures]:
    """Episodes, successes and success rate of each family."""
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(episode.family, []).append(episode)
    return {
        family: {
            "episodes": len(group),
            "successes": sum(episode.success for episode in group),
            "success_rate": success_rate(group),
        }
        for family, group in sorted(groups.items())
    }


def success_rate(episodes: Sequence[Episode]) -> float | None:
    """Share of the episodes that succeeded, 0..1."""
    return _rounded(_mean([float(episode.success) for episode in episodes]))


def policy_rate(chunks: Sequence[ChunkSample], spans: Iterable[tuple[float, float]]) -> float:
    """Chunks per second [Hz]: one over the mean time between chunks for one instruction, in the spans. NaN if none."""
    gaps: list[float] = []
    for start, end in spans:
        inside = between(chunks, start, end)
        for before, after in pairwise(inside):
            if after.instruction_id == before.instruction_id:
                gaps.append(after.stamp - before.stamp)
    return len(gaps) / sum(gaps) if gaps and sum(gaps) > 0 else math.nan


def controller_rate(ticks: Sequence[ControllerSample]) -> float:
    """Ticks per second [Hz], from the periods that the controller measured. NaN if none."""
    periods = [tick.tick_period for tick in ticks if math.isfinite(tick.tick_period) and tick.tick_period > 0]
    return len(periods) / sum(periods) if periods else math.nan


def stamp_to_setpoint(ticks: Iterable[ControllerSample]) -> list[float]:
    """[s] from the capture of each chunk's image to the first setpoint that follows it: one value per chunk."""
    first: dict[int, float] = {}
    for tick in ticks:
        if math.isfinite(tick.stamp_to_setpoint):
            first.setdefault(tick.chunk_sequence, tick.stamp_to_setpoint)
    return list(first.values())


def write_json(figures: Figures, path: Path) -> None:
    """Write `figures`; NaN never gets into the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _episode(episode: Episode) -> Figures:
    extra = {"replaced": episode.replaced} if episode.replaced else {}
    note = {"note": episode.note} if episode.note else {}
    return {
        "instruction": episode.instruction,
        "family": episode.family,
        "success": episode.success,
        "seconds": round(episode.seconds, 2),
        "seed": episode.seed,
        **extra,
        **note,
    }


def _spread(values: Sequence[float], names: Sequence[str]) -> dict[str, float | None]:
    """Percentiles by name: p50 is the median, max the largest."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return dict.fromkeys(names)
    percent = {name: 100.0 if name == "max" else float(name[1:]) for name in names}
    return {name: round(float(np.percentile(finite, percent[name])), 2) for name in names}


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
