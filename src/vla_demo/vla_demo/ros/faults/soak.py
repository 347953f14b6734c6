# SPDX-License-Identifier: Apache-2.0
"""Endurance: an operator who does everything at random, and what the graph holds meanwhile."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from vla_demo.faults.case import Clock
from vla_demo.faults.judge import over_limits
from vla_demo.faults.soak import Sample, held_by
from vla_demo.ros.faults.bench import COLOURS, Graph, Setup, limits_of
from vla_demo.ros.faults.strike import pid_of
from vla_demo.run.child import GraphEndedError
from vla_msgs.srv import Ask

SAMPLE_S = 10.0
PAUSE_S = (2.0, 7.0)
RESTARTED = ("camera_node", "instruction_node", "console_node")
FAULTS = (("camera", "off"), ("joint_states", "off"), ("chunks", "reordered"), ("observation", "delayed"))
FORGIVEN_S = 65.0  # [s] between two ends of a node, after which `vla up` counts its restarts from the beginning
WEIGHTS = {
    "instruct": 40,
    "table": 12,
    "ask": 8,
    "stop": 10,
    "estop": 8,
    "home": 6,
    "fault": 8,
    "restart": 6,
    "nothing": 6,
}


@dataclass(slots=True)
class Soak:
    """What came of the hours."""

    samples: list[Sample] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    hours: float = 0.0
    exit_status: int | None = None


def soak(minutes: float, seed: int, setup: Setup, say: Callable[[str], None]) -> Soak:
    """Let an operator act at random for `minutes`; return what was seen. The graph's end ends it."""
    found, rng = Soak(), random.Random(seed)
    graph = Graph(setup, Clock.WALL, say, console=True)
    graph.start()
    begun = time.monotonic()
    try:
        operator = _Operator(graph, rng, found)
        while time.monotonic() - begun < 60.0 * minutes:
            operator.turn(time.monotonic() - begun)
            if len(found.samples) % 12 == 1:
                say(f"{(time.monotonic() - begun) / 60.0:.0f} min, {sum(found.acts.values())} acts")
    except (KeyboardInterrupt, GraphEndedError) as error:
        if isinstance(error, GraphEndedError):
            found.violations.append(f"the graph ended: {error}")
    finally:
        found.hours = (time.monotonic() - begun) / 3600.0
        found.exit_status = graph.stop()
    return found


class _Operator:
    def __init__(self, graph: Graph, rng: random.Random, found: Soak) -> None:
        self._graph, self._rng, self._found = graph, rng, found
        self._restarted = dict.fromkeys(RESTARTED, -FORGIVEN_S)
        self._sampled = -SAMPLE_S
        self._since = graph.watch.latest

    def turn(self, now: float) -> None:
        """Act once, and sample where it is time."""
        act = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self._found.acts[act] += 1
        getattr(self, f"_{act}")(now)
        self._graph.watch.wait(lambda: False, self._rng.uniform(*PAUSE_S))
        self._check(act)
        if now - self._sampled >= SAMPLE_S:
            self._sampled = now
            self._found.samples.append(self._sample(now))

    def _check(self, act: str) -> None:
        watch = self._graph.watch
        trace, self._since = watch.trace(self._since), watch.latest
        watch.begin()
        self._found.violations += [f"after {act}: {text}" for text in over_limits(trace, limits_of(), arm=True)]

    def _sample(self, now: float) -> Sample:
        watch = self._graph.watch
        pids = dict(re.findall(r"\| (\w+) started \[pid (\d+)\]", self._graph.output()))
        held = {name: (int(pid), found) for name, pid in pids.items() if (found := held_by(int(pid))) is not None}
        held["this bench"] = (os.getpid(), found) if (found := held_by(os.getpid())) else held["controller_node"]
        status = watch.controller
        return Sample(now, held, watch.entities(), status.stamp_to_setpoint if status else float("nan"), watch.tick())

    # What an operator does

    def _nothing(self, now: float) -> None: ...

    def _instruct(self, now: float) -> None:
        colour = self._rng.choice(COLOURS)
        text = self._rng.choice(("pick up the {} block", "put the {} block in the bowl", "push the {} block"))
        if not self._graph.watch.instruct(text.format(colour)):
            self._found.violations.append("an instruction was not taken")

    def _table(self, now: float) -> None:
        self._graph.watch.instruct(self._graph.watch.table(self._rng.randrange(10**6)))

    def _ask(self, now: float) -> None:
        self._graph.watch.call(Ask, "vla/ask", Ask.Request(question="what is on the table?"))

    def _stop(self, now: float) -> None:
        self._graph.watch.instruct("stop")

    def _estop(self, now: float) -> None:
        watch = self._graph.watch
        watch.trigger("estop")
        watch.wait(lambda: watch.speed() < 0.02, 2.0)
        if not watch.wait(lambda: watch.trigger("reset_estop")[0], 5.0):
            self._found.violations.append("the emergency stop could not be reset")

    def _home(self, now: float) -> None:
        self._graph.watch.trigger("home")

    def _fault(self, now: float) -> None:
        watch = self._graph.watch
        watch.inject(*self._rng.choice(FAULTS), seed=self._rng.randrange(1000))
        watch.wait(lambda: False, 1.0)
        watch.inject("", "none")

    def _restart(self, now: float) -> None:
        name = self._rng.choice(RESTARTED)
        if now - self._restarted[name] < FORGIVEN_S:
            return
        self._restarted[name] = now
        self._found.acts[f"restart {name}"] += 1
        os.kill(pid_of(self._graph.output(), name), signal.SIGKILL)
        self._graph.watch.wait(lambda: False, 6.0)
