# SPDX-License-Identifier: Apache-2.0
"""Runs the graph and, beside it, ordinary timers; returns the periods of all of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vla_demo.ros.client import GraphClient
from vla_demo.run.child import GraphEndedError, GraphProcess, find_vla_up
from vla_demo.run.samples import Recording
from vla_demo.run.session import TableRefusedError

INSTRUCTION_S = 15.0  # after which the policy gets another instruction
FAMILIES = ("pick", "place", "push", "near")
START_S = 120.0
SETTLE_S = 3.0  # after the first instruction, before it counts
NICE = 5  # the recorder yields to what it watches


@dataclass(frozen=True, slots=True)
class Measured:
    """Periods [s] of the controller's ticks as it measured them itself, and of the timers by name."""

    controller: list[float]
    timers: dict[str, list[float]]
    chunks: int
    statuses_lost: int
    real_time_factor: float
    priority: str


def measure(words: Sequence[str], rate: float, seconds: float, log: Path, say: Callable[[str], None]) -> Measured:
    """Run the graph with the arguments `words` for `seconds` [s]; raises GraphEndedError when it does not run."""
    recording = Recording()
    command = (str(find_vla_up()), *words, f"controller_rate:={rate}")
    with GraphProcess(command, log) as graph, _Timers(rate) as timers:
        os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))  # of this thread alone
        with GraphClient(recording, False, graph.check) as client:
            if not client.wait(lambda: not client.missing(), START_S):
                raise GraphEndedError(
                    f"the graph was not ready after {START_S:g} s: {client.missing()}\n{graph.tail()}"
                )
            client.stop_observing()
            instruct(client, 0)
            client.wait(lambda: False, SETTLE_S)
            timers.begin()
            first, chunks = len(recording.controller), len(recording.chunks)
            keep_busy(client, seconds, lambda left: say(f"{rate:g} Hz: {left:.0f} s left"))
            ticks, periods = recording.controller[first:], timers.end()
    measured = [tick.tick_period for tick in ticks]
    expected = (ticks[-1].stamp - ticks[0].stamp) if ticks else 0.0
    lost = round((expected - sum(measured[1:])) * rate) if ticks else 0
    factors = [sample.real_time_factor for sample in recording.task]
    text = log.read_text(encoding="utf-8", errors="replace")
    priority = next((p for p in ("real-time", "raised", "normal") if f"{p} priority" in text), "unknown")
    factor = sum(factors) / len(factors) if factors else 0.0
    return Measured(measured, periods, len(recording.chunks) - chunks, max(0, lost), round(factor, 4), priority)


def keep_busy(client: GraphClient, seconds: float, say: Callable[[float], None]) -> None:
    """Let the policy work for `seconds` [s]: every 15 s another table and instruction; `say` hears what is left."""
    end, turn = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        turn += 1
        client.wait(lambda: False, min(INSTRUCTION_S, left))
        instruct(client, turn)
        say(max(0.0, end - time.monotonic()))


def instruct(client: GraphClient, turn: int) -> None:
    """Lay out table `turn` and give its instruction."""
    try:
        client.say(client.set_task("", FAMILIES[turn % len(FAMILIES)], turn).instruction)
    except TableRefusedError:
        client.say("pick up the red block")


class _Timers:
    """Ordinary rclpy timers, each in a process of its own, as long as the context is open."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> _Timers:
        for name in ("normal", "realtime"):
            command = [sys.executable, "-m", "vla_demo.ros.timer", str(self._rate), name]
            self._processes[name] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def begin(self) -> None:
        """Count from now on."""
        for process in self._processes.values():
            process.send_signal(signal.SIGUSR1)

    def end(self) -> dict[str, list[float]]:
        """Periods [s] by name; empty for one that does not answer."""
        return {name: _end_timer(process) for name, process in self._processes.items()}


def _end_timer(process: subprocess.Popen[str]) -> list[float]:
    process.send_signal(signal.SIGINT)
    try:
        periods = json.loads(process.communicate(timeout=20.0)[0])
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return []
    return [float(period) for period in periods]
