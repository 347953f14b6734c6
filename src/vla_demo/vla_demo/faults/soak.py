# SPDX-License-Identifier: Apache-2.0
"""Figures of endurance: what processes hold over time, and its slope. No ROS."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WARM_UP = 0.2  # share of a process's life that does not count: caches and buffers fill
LEAST_SAMPLES = 8
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds at a moment."""

    memory_mb: float
    threads: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment [s]: the processes by name and number, entities in the ROS graph, latencies [s]."""

    time: float
    processes: Mapping[str, tuple[int, Held]]
    entities: int
    latency: float
    tick: float


def held_by(pid: int) -> Held | None:
    """Return what the process `pid` holds; None: it has ended."""
    folder = Path(f"/proc/{pid}")
    try:
        status = dict(line.split(":", 1) for line in (folder / "status").read_text("ascii", "replace").splitlines())
        memory = int(status["VmRSS"].split()[0]) / 1024.0
        return Held(memory, int(status["Threads"]), len(os.listdir(folder / "fd")))
    except (OSError, KeyError, ValueError):
        return None


def slope(times: Sequence[float], values: Sequence[float]) -> dict[str, float | int | None]:
    """Return the slope of `values` per hour with its standard error, the mean and the count; None: too few."""
    pairs = [(t, v) for t, v in zip(times, values, strict=True) if math.isfinite(v)]
    if len(pairs) < LEAST_SAMPLES:
        return {"per_hour": None, "error": None, "mean": None, "samples": len(pairs)}
    t, v = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    t = (t - t.mean()) / HOUR
    gain = float((t @ (v - v.mean())) / (t @ t))
    rest = v - v.mean() - gain * t
    error = float(np.sqrt(rest @ rest / (len(v) - 2) / (t @ t)))
    return {"per_hour": round(gain, 3), "error": round(error, 3), "mean": round(float(v.mean()), 3), "samples": len(v)}


def slopes(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return the slopes of every process's latest life, of the entities and of the latencies."""
    names = sorted({name for sample in samples for name in sample.processes})
    kept = _settled(samples)
    times = [sample.time for sample in kept]
    return {
        **{name: _of_process(samples, name) for name in names},
        "ros entities": slope(times, [float(sample.entities) for sample in kept]),
        "image to setpoint [s]": slope(times, [sample.latency for sample in kept]),
        "tick period, longest [s]": slope(times, [sample.tick for sample in kept]),
    }


def _settled(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[int(WARM_UP * len(samples)) :]


def _of_process(samples: Sequence[Sample], name: str) -> dict[str, Any]:
    latest = next(sample.processes[name][0] for sample in reversed(samples) if name in sample.processes)
    life = _settled([s for s in samples if name in s.processes and s.processes[name][0] == latest])
    times = [sample.time for sample in life]
    values = [sample.processes[name][1] for sample in life]
    return {
        "memory [MB]": slope(times, [value.memory_mb for value in values]),
        "threads": slope(times, [float(value.threads) for value in values]),
        "descriptors": slope(times, [float(value.descriptors) for value in values]),
    }


def growing(found: Mapping[str, Any], memory_mb: float = 30.0, count: float = 6.0) -> list[str]:
    """Return what grows beyond noise: by more than three standard errors, and `memory_mb` or `count` an hour."""
    names: list[str] = []
    for name, parts in found.items():
        for what, row in parts.items() if "memory [MB]" in parts else [("count", parts)]:
            least = memory_mb if what.startswith("memory") else count
            per_hour, error = row["per_hour"], row["error"]
            if per_hour is not None and per_hour > least and per_hour > 3.0 * error:
                names.append(f"{name}, {what}: {per_hour:+.1f} an hour (standard error {error:.1f})")
    return names
