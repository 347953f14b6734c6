# SPDX-License-Identifier: Apache-2.0
"""Whether a promise was kept, from what was measured while the fault lasted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vla_demo.faults.case import Case, Recovery

Array = NDArray[np.float64]
STILL = 0.02  # [rad/s] up to which the arm is at rest
TOLERANCE = 1.02  # of limits: rounding, and the arm's own swing
SWING = 1.25  # times a velocity limit that a simulated arm may swing over
ROUNDING = 1e-6
GAP = 0.03  # [s] between joint states, above which the simulated arm was held up: the machine had no time for it


@dataclass(frozen=True, slots=True)
class Limits:
    """Position limits [rad], velocity [rad/s] and acceleration [rad/s^2] limits, each (n,)."""

    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array


@dataclass(frozen=True, slots=True)
class Trace:
    """What the arm and the controller did, from the fault to its end: stamps [s] and rows (k, n)."""

    arm_times: Array
    arm_velocities: Array
    times: Array
    setpoints: Array
    velocities: Array
    accelerations: Array
    budget: float = 0.0  # [s] the latency budget, at most
    arrivals: Array = field(default_factory=lambda: np.zeros(0))  # [s] when the ticks came, by a clock of its own


@dataclass(frozen=True, slots=True)
class Line:
    """A text that was told: by a status, on /diagnostics or in the log."""

    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """One fault in the running graph, and what came of it."""

    case: str
    seed: int
    speed: float  # [rad/s] of the arm when the fault began
    rest_s: float | None  # from the beginning until the arm was at rest; None: it moved until the end
    said: str  # the text that was looked for, with its source; or the first that came
    recovery: str
    violations: tuple[str, ...] = field(default=())
    state: str = ""  # of controller and policy at the end of the fault
    held_up_s: float = 0.0  # [s] in which the machine had no time for the simulated arm


def rest_after(times: Array, speeds: Array) -> float | None:
    """Return when [s] after its beginning the arm was at rest for good; None: it moved until the end.

    Time in which it was held up does not count.
    """
    if not len(times):
        return None
    moving = np.flatnonzero(speeds > STILL)
    if not len(moving):
        return 0.0
    last = int(moving[-1])
    return None if last >= len(times) - 2 else float(np.minimum(np.diff(times[: last + 1]), GAP).sum())


def held_up(times: Array) -> float:
    """Return how long [s] the simulated arm was held up."""
    gaps = np.diff(times)
    return float((gaps[gaps > GAP] - GAP).sum())


def over_limits(trace: Trace, limits: Limits, arm: bool) -> list[str]:
    """Return what was outside a limit, in words; `arm`: whether the arm's own speed counts.

    It does not where the arm was held up: it then joins late, as docs/controller.md says of late commands.
    """
    found: list[str] = []
    if len(trace.times):
        outside = np.maximum(limits.lower - trace.setpoints, trace.setpoints - limits.upper).max()
        found += [f"a setpoint {outside:.4f} rad outside the position limits"] if outside > ROUNDING else []
        for name, rows, limit in (
            ("velocity", trace.velocities, limits.velocity),
            ("acceleration", trace.accelerations, limits.acceleration),
        ):
            share = float((np.abs(rows) / limit).max())
            found += [f"{name} of a setpoint {share:.2f} of its limit"] if share > TOLERANCE else []
        found += _leap(trace, limits)
    if arm and len(trace.arm_times) and not held_up(trace.arm_times):
        share = float((np.abs(trace.arm_velocities) / limits.velocity).max())
        found += [f"the arm at {share:.2f} of its velocity limit"] if share > SWING else []
    return found


def _leap(trace: Trace, limits: Limits) -> list[str]:
    if len(trace.times) < 2:
        return []
    passed = np.maximum(np.diff(trace.times), 0.05)[:, None]
    if len(trace.arrivals):  # where the graph's clock is stepped, its stamps do not tell
        passed = np.maximum(passed, np.diff(trace.arrivals)[:, None])
    share = float((np.abs(np.diff(trace.setpoints, axis=0)) / (limits.velocity * passed)).max())
    return [f"a leap of the setpoint of {share:.2f} times what the velocity limit allows"] if share > 1.1 else []


def find_said(case: Case, lines: Sequence[Line]) -> str:
    """Return the first text that the case asks for, with its source; empty: it was not told."""
    pattern = re.compile(case.said, re.IGNORECASE)
    return next((f"{line.source}: {line.text}" for line in lines if pattern.search(line.text)), "")


def judge(case: Case, seed: int, trace: Trace, limits: Limits, lines: Sequence[Line], recovery: Recovery | None) -> Run:
    """Return the run with what broke the promise of `case`.

    Args:
        case: the fault.
        seed: of the run.
        trace: from the beginning of the fault to its end.
        limits: the controller's.
        lines: what was told meanwhile.
        recovery: what it took to move again; None: nothing helped.
    """
    speeds = np.abs(trace.arm_velocities).max(axis=1) if len(trace.arm_times) else np.zeros(0)
    rest = rest_after(trace.arm_times, speeds)
    found = over_limits(trace, limits, case.arm)
    within = case.within + (trace.budget if case.after_budget else 0.0)
    if case.rests and (rest is None or rest > within):
        found.append(f"in motion {'until the end' if rest is None else f'{rest:.3f} s'}; promised: {within:.2f} s")
    said = find_said(case, lines) if case.said else ""
    if case.said and not said:
        found.append(f"nothing like {case.said!r} was told")
    if recovery is None:
        found.append("it did not move again")
    elif recovery > case.recovery:
        found.append(f"it took {recovery.name.lower()} to move again; promised: {case.recovery.name.lower()}")
    told = said or next((f"{line.source}: {line.text}" for line in lines), "")
    speed = float(speeds[0]) if len(speeds) else 0.0
    name = "none" if recovery is None else recovery.name.lower()
    rested = None if rest is None else round(rest, 3)
    late = round(held_up(trace.arm_times), 3)
    return Run(case.name, seed, round(speed, 3), rested, told, name, tuple(found), held_up_s=late)
