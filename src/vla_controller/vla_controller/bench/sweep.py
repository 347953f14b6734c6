# SPDX-License-Identifier: Apache-2.0
"""Very many chunk streams in several processes, and the sum of what they did."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np
from vla_core.robot import load_robot_config

from vla_controller.arm_controller import ArmController
from vla_controller.bench.rig import Bench
from vla_controller.bench.streams import FALSE_STATES, STREAMS, run_stream, start_pose

_BATCH = 64  # streams handed to a process at once
_EXAMPLES = 5  # of violations kept


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """What to run. Stream ``i`` depends on seed and ``i`` alone; kinds and robots take turns."""

    streams: int
    seed: int
    robots: tuple[str, ...]
    rate: float  # [Hz]
    seconds: float  # [s] that the policy lives
    kinds: tuple[str, ...] = (*STREAMS, *FALSE_STATES)


@dataclass(slots=True)
class Tally:
    """Sums over streams."""

    streams: Counter[str] = field(default_factory=Counter)  # by robot and kind
    violations: Counter[str] = field(default_factory=Counter)  # streams, by robot, kind of stream and of violation
    examples: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    setpoints: int = 0
    accepted: int = 0
    refused: int = 0
    rests: list[float] = field(default_factory=list)  # [s] where the arm still moved at the last due step
    clearance: float = float("inf")  # [m]

    def add(self, other: Tally) -> None:
        """Take over the sums of ``other``."""
        self.streams += other.streams
        self.violations += other.violations
        self.refusals += other.refusals
        self.examples = (self.examples + other.examples)[:_EXAMPLES]
        self.setpoints += other.setpoints
        self.accepted += other.accepted
        self.refused += other.refused
        self.rests += other.rests
        self.clearance = min(self.clearance, other.clearance)


_controllers: dict[tuple[str, float], ArmController] = {}


def _controller(robot: str, rate: float) -> ArmController:
    key = (robot, rate)
    if key not in _controllers:
        _controllers[key] = ArmController(load_robot_config(robot), 1.0 / rate)
    return _controllers[key]


def run_streams(settings: SweepSettings, first: int, count: int) -> Tally:
    """Streams ``first`` to ``first + count - 1``, in this process."""
    tally, kinds = Tally(), settings.kinds
    for index in range(first, first + count):
        kind, robot = kinds[index % len(kinds)], settings.robots[index // len(kinds) % len(settings.robots)]
        controller, rng = _controller(robot, settings.rate), np.random.default_rng([settings.seed, index])
        start = start_pose(controller.config, controller.kinematics.clearance, rng)
        bench = Bench(controller, 1.0 / settings.rate, start=start)
        result = run_stream(bench, rng, kind, settings.seconds)
        tally.streams[f"{robot} {kind}"] += 1
        for violation in result.violations:
            tally.violations[f"{robot} {kind} {violation.kind}"] += 1
            tally.examples.append(f"stream {index}: {violation.text}")
        tally.refusals.update({name: number for name, number, _ in controller.log.entries()})
        tally.setpoints += len(bench.setpoints)
        tally.accepted += result.accepted
        tally.refused += result.refused
        tally.clearance = min(tally.clearance, result.clearance)
        if result.rest_after > 0.0:
            tally.rests.append(result.rest_after)
    return tally


def sweep(settings: SweepSettings, workers: int, report: Callable[[str], None], minutes: float) -> Tally:
    """All streams, or as many as begin within ``minutes``; ``report`` gets a line now and then."""
    total, began, said = Tally(), time.monotonic(), time.monotonic()
    for tally in _tallies(settings, workers, began + 60.0 * minutes):
        total.add(tally)
        if time.monotonic() - said > 10.0:
            said = time.monotonic()
            done = sum(total.streams.values())
            left = (said - began) / done * (settings.streams - done) / 60.0
            report(
                f"{done}/{settings.streams} streams, {sum(total.violations.values())} violations, {left:.0f} min left"
            )
    return total


def _tallies(settings: SweepSettings, workers: int, until: float) -> Iterator[Tally]:
    batches = [(first, min(_BATCH, settings.streams - first)) for first in range(0, settings.streams, _BATCH)]
    if workers == 1:
        yield from (run_streams(settings, *batch) for batch in batches if time.monotonic() < until)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from _as_they_come(pool, settings, batches, 2 * workers, until)


def _as_they_come(
    pool: ProcessPoolExecutor, settings: SweepSettings, batches: Sequence[tuple[int, int]], ahead: int, until: float
) -> Iterator[Tally]:
    """Results in any order, with few batches handed out at a time, so that Ctrl-C is quick."""
    todo, running = list(batches), set[Future[Tally]]()
    while running or (todo and time.monotonic() < until):
        while todo and len(running) < ahead and time.monotonic() < until:
            running.add(pool.submit(run_streams, settings, *todo.pop(0)))
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)
