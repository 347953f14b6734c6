# SPDX-License-Identifier: Apache-2.0
"""The running graph with pages of its console: stop to halt, age of pictures, the controller's periods."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from vla_demo.ros.client import GraphClient
from vla_demo.ros.period import instruct, keep_busy
from vla_demo.run.child import GraphEndedError, GraphProcess, console_address, find_vla_up
from vla_demo.run.samples import ControllerSample, Recording

START_S, TRACKING_S, HALT_S = 180.0, 30.0, 5.0  # [s] for the graph, for the arm to follow the policy, for it to halt
STILL = 1e-6  # [rad] between two setpoints of an arm at rest
NICE = 5


@dataclass(slots=True)
class Measured:
    """Times [s]; by phase (alone, one page, viewers) where they are a dictionary.

    `glass`: of a picture since its stamp; `console`: since it came to console_node.
    """

    stop: list[float] = field(default_factory=list)
    rest: list[float] = field(default_factory=list)
    periods: dict[str, list[float]] = field(default_factory=dict)
    chunks_per_s: dict[str, float] = field(default_factory=dict)
    glass: dict[str, list[float]] = field(default_factory=dict)
    console: dict[str, list[float]] = field(default_factory=dict)
    pictures_per_s: dict[str, float] = field(default_factory=dict)


def measure(
    words: Sequence[str], trials: int, seconds: float, viewers: int, log: Path, say: Callable[[str], None]
) -> Measured:
    """Run the graph and its console; raises GraphEndedError when it does not run."""
    recording, found = Recording(), Measured()
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        GraphProcess((str(find_vla_up()), *words), log) as graph,
        GraphClient(recording, False, graph.check) as client,
    ):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        if not client.wait(lambda: not client.missing(), START_S):
            raise GraphEndedError(f"the graph was not ready after {START_S:g} s: {client.missing()}\n{graph.tail()}")
        client.stop_observing()
        address = console_address(log.read_text(encoding="utf-8", errors="replace"))
        if not address:
            raise GraphEndedError(f"the graph has no console:\n{graph.tail()}")
        url = f"{address.replace('http', 'ws', 1)}socket"
        with _page(url) as page:
            for trial in range(trials):
                _stop(client, page, trial, found)
                say(f"stop {trial + 1} of {trials}: {1e3 * found.stop[-1]:.0f} ms" if found.stop else "no stop yet")
        for name, pages in (("alone", (0, 0)), ("one page", (1, 0)), ("viewers", (viewers - 1, 1))):
            say(f"{name}: {seconds:g} s")
            _phase(client, url, name, pages, seconds, found)
    return found


@contextmanager
def _page(url: str) -> Iterator[ClientConnection]:
    """A page that an operator has open; what comes is read."""
    with connect(url, compression=None, max_size=None, proxy=None) as socket:
        socket.send(json.dumps({"do": "hello"}))

        def read() -> None:
            with suppress(ConnectionClosed):
                for message in socket:
                    if isinstance(message, bytes):
                        camera = json.loads(message.partition(b"\n")[0])["camera"]
                        socket.send(json.dumps({"do": "seen", "camera": camera}))

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        yield socket


def _stop(client: GraphClient, page: ClientConnection, trial: int, found: Measured) -> None:
    """Let the policy move the arm, stop it by the page, and note when the first tick obeyed and when it stood."""
    ticks = client.recording.controller
    instruct(client, trial)
    if not client.wait(lambda: ticks[-1].state == "tracking", TRACKING_S):
        return
    client.wait(lambda: False, 1.0 + random.uniform(0.0, 0.5))
    if ticks[-1].state != "tracking":  # the task was done meanwhile
        return
    pressed = time.time()
    page.send(json.dumps({"do": "stop"}))

    def after() -> list[ControllerSample]:
        return [tick for tick in ticks[-200:] if tick.stamp > pressed]

    if not client.wait(lambda: any(tick.state == "holding" for tick in after()), HALT_S):
        return
    client.wait(lambda: False, 0.5)
    halted = next(tick for tick in after() if tick.state != "tracking")
    found.stop.append(halted.stamp - pressed)
    still = (
        b for a, b in pairwise(ticks[-200:]) if b.stamp > halted.stamp and np.abs(b.setpoint - a.setpoint).max() < STILL
    )
    if (rest := next(still, None)) is not None:
        found.rest.append(rest.stamp - pressed)


def _phase(client: GraphClient, url: str, name: str, pages: tuple[int, int], seconds: float, found: Measured) -> None:
    """Let the policy work with so many pages that read, and that do not."""
    recording = client.recording
    process = None
    if any(pages):
        command = [sys.executable, "-m", "vla_demo.run.pages", url, *map(str, pages)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
    instruct(client, 1)
    client.wait(lambda: False, 3.0)
    ticks, chunks, began = len(recording.controller), len(recording.chunks), time.monotonic()
    keep_busy(client, seconds, lambda left: None)
    took = time.monotonic() - began
    found.periods[name] = [tick.tick_period for tick in recording.controller[ticks:]]
    found.chunks_per_s[name] = (len(recording.chunks) - chunks) / took
    if process is not None:
        output, _ = process.communicate()
        seen = json.loads(output)
        found.glass[name], found.console[name] = seen["glass_s"], seen["console_s"]
        found.pictures_per_s[name] = seen["pictures"] / took
