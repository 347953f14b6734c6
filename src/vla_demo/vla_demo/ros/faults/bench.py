# SPDX-License-Identifier: Apache-2.0
"""Runs cases, one after the other, in as few graphs as possible."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from vla_core.robot import load_robot_config

from vla_demo.faults.case import Case, Clock, Recovery
from vla_demo.faults.judge import Limits, Line, Run, Trace, judge
from vla_demo.ros.faults.strike import Striker
from vla_demo.ros.faults.watch import Watch
from vla_demo.run.child import GraphEndedError, GraphProcess, find_vla_up
from vla_demo.run.loopback import free_loopback

START_S = 90.0
ITSELF_S, AGAIN_S = 5.0, 10.0  # [s] for the arm to be led again
STARTING_S = 20.0  # [s] for a node that was killed to be there again
ENDING_S = 12.0  # [s] for a graph to end after a required node
IN_MOTION = 0.1  # [rad/s] at which a fault begins
FCI_PORT = 1337
COLOURS = ("red", "green", "blue", "yellow", "purple")
CONTROLLER_REST = (0, 1, 4)  # waiting, holding, estopped


@dataclass(frozen=True, slots=True)
class Setup:
    """What graph is started."""

    policy: str
    arm: str  # mujoco or franka-sim
    out: Path
    deadline: float  # [s], monotonic: nothing begins after it


class Graph:
    """A running graph with its watch; started again when it has ended."""

    def __init__(self, setup: Setup, clock: Clock, say: Callable[[str], None], console: bool = False) -> None:
        """Start nothing yet."""
        self._setup, self._clock, self._say = setup, clock, say
        self.count = 0
        self._console = str(console).lower()

    def __enter__(self) -> Graph:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the graph and wait until an instruction can be given; raises GraphEndedError."""
        setup = self._setup
        self.count += 1
        self.log = setup.out / f"faults-{self._clock.name.lower()}-{self.count}.log"
        words = ["sim:=mujoco", f"policy:={setup.policy}", f"console:={self._console}", "faults:=true"]
        if self._clock is Clock.SIMULATED:
            words.append("sim_time:=true")
        if setup.arm == "franka-sim":
            words += ["driver:=franka-sim", f"robot_ip:={free_loopback(FCI_PORT, os.getpid())}"]
        begun = time.monotonic()
        self.process = GraphProcess((str(find_vla_up()), *words), self.log).__enter__()
        self.watch = Watch(self.process.check).__enter__()
        self.striker = Striker(self.watch, self.log)
        if not self.watch.wait(self._ready, START_S):
            raise GraphEndedError(f"the graph was not ready after {START_S:g} s:\n{self.process.tail()}")
        self._say(f"graph {self.count} ({self._clock.name.lower()} clock) ready after {time.monotonic() - begun:.1f} s")

    def _ready(self) -> bool:
        watch = self.watch
        return bool(watch.controller and watch.policy and watch.arm and watch.controller.state in (1, 2, 4))

    def stop(self) -> int:
        """Stop the graph; return its exit status."""
        self.watch.__exit__()
        return self.process.stop()

    def keep(self, name: str, trace: Trace, lines: Sequence[Line]) -> None:
        """Write what was measured and told where a promise was broken."""
        folder = self._setup.out / "faults-broken"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name.replace(" ", "_").replace(":", "_").replace(",", "")
        rows = {item.name: getattr(trace, item.name) for item in fields(trace)}
        np.savez(path.with_suffix(".npz"), **rows)
        path.with_suffix(".txt").write_text("\n".join(f"{line.source}: {line.text}" for line in lines) + "\n", "utf-8")

    def output(self, since: int = 0) -> str:
        """The graph's output after `since` characters."""
        return self.log.read_text(encoding="utf-8", errors="replace")[since:]


def bench(cases: Sequence[Case], seeds: int, setup: Setup, say: Callable[[str], None]) -> list[Run]:
    """Run each case with seeds 1 to `seeds`, until the deadline or Ctrl-C; return what came of each."""
    runs: list[Run] = []
    with suppress(KeyboardInterrupt):
        for clock in Clock:
            plan = [(case, seed) for seed in range(1, seeds + 1) for case in cases if case.clock is clock]
            if plan and time.monotonic() < setup.deadline:
                _bench_in(clock, plan, setup, runs, say)
    return runs


def _bench_in(
    clock: Clock, plan: Sequence[tuple[Case, int]], setup: Setup, runs: list[Run], say: Callable[[str], None]
) -> None:
    with Graph(setup, clock, say) as graph:
        for case, seed in plan:
            if time.monotonic() > setup.deadline:
                return
            runs.append(_run(graph, case, seed))
            _show(runs[-1], say)


def _show(run: Run, say: Callable[[str], None]) -> None:
    rest = "moves" if run.rest_s is None else f"{run.rest_s:.2f} s"
    verdict = "; ".join(run.violations) or "ok"
    say(f"{run.case:38s} {run.seed} from {run.speed:.2f} rad/s, rest {rest:7s} {run.recovery:11s} {verdict}")


def _run(graph: Graph, case: Case, seed: int) -> Run:
    rng = random.Random(f"{case.name}{seed}")
    try:
        for last in (False, True):  # a policy that was just done with its task shows nothing
            _set_in_motion(graph, rng)
            run = one(graph, case, seed, rng)
            if last or not run.violations or "policy done" not in run.state:
                break
        return run
    except GraphEndedError as error:
        graph.stop()
        graph.start()
        return Run(case.name, seed, 0.0, None, "", "restart", (f"the graph ended: {str(error).splitlines()[0]}",))


def _set_in_motion(graph: Graph, rng: random.Random) -> None:
    """Have the arm move by the policy: on the same table, else on another one from home."""
    watch = graph.watch
    if watch.moves(0.0, IN_MOTION) and watch.policy and watch.policy.state == watch.policy.STATE_RUNNING:
        return
    for _ in range(6):
        if watch.instruct(f"pick up the {rng.choice(COLOURS)} block") and watch.moves(AGAIN_S, IN_MOTION):
            return
        watch.trigger("confirm_posture")
        watch.trigger("reset_estop")
        text = watch.table(rng.randrange(10**6))
        watch.trigger("home")
        watch.moves(0.5)
        watch.wait(lambda: watch.speed() < IN_MOTION / 2, AGAIN_S)
        if watch.instruct(text) and watch.moves(AGAIN_S, IN_MOTION):
            return
    raise GraphEndedError("the arm could not be set in motion")


def one(graph: Graph, case: Case, seed: int, rng: random.Random) -> Run:
    """Let the fault of `case` happen in motion, end it, have the arm move again; return what came of it."""
    watch = graph.watch
    time.sleep(rng.uniform(0.0, 0.3))
    length = len(graph.output())
    watch.begin()
    latest = watch.latest
    wall, undo = graph.striker.strike(case, seed)
    since = latest if case.clock is Clock.SIMULATED else wall
    required = case.fault.endswith("killed") and case.recovery is Recovery.RESTART
    try:
        watch.wait(lambda: False, ENDING_S if required else _hold(case, watch))
    except GraphEndedError:  # as it is to be after the end of a required node
        if case.recovery is not Recovery.RESTART:
            raise
    trace, lines = watch.trace(since), list(watch.lines)
    undo()
    old, state = graph.log, watch.state
    recovery = _recover(graph, case, rng)
    logs = [old.read_text(encoding="utf-8", errors="replace")[length:], graph.output() if graph.log != old else ""]
    lines += [Line("log", line) for text in logs for line in text.splitlines()]
    run = replace(judge(case, seed, trace, limits_of(), lines, recovery), state=state)
    if run.violations:
        graph.keep(f"{case.name}-{seed}", trace, lines)
    if recovery is None:
        graph.stop()
        graph.start()
    return run


def _hold(case: Case, watch: Watch) -> float:
    """Return how long [s] the fault lasts: long enough to see the arm at rest where it has to be."""
    budget = watch.controller.latency_budget if case.after_budget and watch.controller else 0.0
    return max(case.hold, case.within + budget + 0.5 if case.rests else 0.0)


def limits_of() -> Limits:
    """Return the limits that setpoints are held to."""
    limits = load_robot_config("fr3").limits
    return Limits(limits.lower, limits.upper, limits.velocity, limits.acceleration)


def _recover(graph: Graph, case: Case, rng: random.Random) -> Recovery | None:
    """Have the arm move again with as little as possible; return what it took, None: nothing helped."""
    try:
        graph.process.check()
        return _move_again(graph.watch, case, rng)
    except GraphEndedError:
        graph.stop()
        graph.start()
        return Recovery.RESTART if _move_again(graph.watch, case, rng) is not None else None


def _move_again(watch: Watch, case: Case, rng: random.Random) -> Recovery | None:
    if watch.follows(STARTING_S if case.fault.endswith("killed") else ITSELF_S):
        return Recovery.ITSELF
    done = watch.policy is not None and watch.policy.state == watch.policy.STATE_DONE
    colours = rng.sample(COLOURS, 2)
    for colour in colours:
        if watch.instruct(f"pick up the {colour} block") and watch.follows(AGAIN_S):
            return Recovery.ITSELF if done else Recovery.INSTRUCTION
    for name, what in (("confirm_posture", Recovery.CONFIRM), ("reset_estop", Recovery.RESET)):
        if watch.trigger(name)[0] and watch.instruct(f"pick up the {colours[0]} block") and watch.follows(AGAIN_S):
            return what
    return None


def machine() -> dict[str, object]:
    """Return what the figures were measured on."""
    return {"cores": os.cpu_count(), "load": round(os.getloadavg()[1], 1), "root": os.geteuid() == 0}
