# SPDX-License-Identifier: Apache-2.0
"""How faults begin and end: on the arrows by fault_node, in processes by signals and limits, and what operators do."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from vla_demo.faults.case import Case
from vla_demo.ros.faults.watch import Watch

BUSY = 4  # processes that compute without end
MEGABYTE = 2**20
OTHER = "pick up the green block"
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
SETTLE_S = 0.6  # between what an operator does and what happens after it

Undo = Callable[[], None]


def pid_of(log: str, node: str) -> int:
    """Return the number of the latest process of `node` in the output of vla_up; raises LookupError."""
    found = re.findall(rf"{node} started \[pid (\d+)\]", log)
    if not found:
        raise LookupError(f"no process {node} in the graph's output")
    return int(found[-1])


class Striker:
    """Lets a case's fault happen, and ends it."""

    def __init__(self, watch: Watch, log: Path) -> None:
        """`log` is the output of vla_up."""
        self._watch, self._log = watch, log

    def strike(self, case: Case, seed: int) -> tuple[float, Undo]:
        """Begin the fault; return when [s] of the system's clock, and what ends it."""
        kind, _, node = case.place.partition(" ")
        now = time.time()
        if kind == "process":
            return now, self._process(case.fault, self._pid(node))
        if kind == "operator":
            return now, self._operator(case.fault)
        if kind == "machine":
            return now, _busy()
        now = self._watch.inject(case.place, case.fault, case.magnitude, seed)
        if case.place in ("instruction", "commands"):
            self._watch.say(OTHER)
        return now, self._end

    def _end(self) -> None:
        self._watch.inject("", "none")

    def _pid(self, node: str) -> int:
        return pid_of(self._log.read_text(encoding="utf-8", errors="replace"), node)

    def _process(self, fault: str, pid: int) -> Undo:
        if fault == "killed":
            os.kill(pid, signal.SIGKILL)
            return _nothing
        if fault == "stopped":
            os.kill(pid, signal.SIGSTOP)
            return lambda: os.kill(pid, signal.SIGCONT)
        which = resource.RLIMIT_AS if fault == "without memory" else resource.RLIMIT_FSIZE
        limit = _used(pid) + MEGABYTE if fault == "without memory" else 0
        resource.prlimit(pid, which, (limit, resource.RLIM_INFINITY))
        return lambda: _unlimit(pid, which)

    def _operator(self, fault: str) -> Undo:
        words = fault.split(", ")
        undo = self._process("without disk", self._pid("controller_node")) if "state disk full" in words else _nothing
        if words[0] == "stop":
            self._watch.say("stop")
        else:
            self._watch.trigger("estop")
        for word in words[1:]:
            if word.endswith(" killed"):
                time.sleep(SETTLE_S)
                os.kill(self._pid(word.split()[0]), signal.SIGKILL)
        return undo


def _nothing() -> None: ...


def _unlimit(pid: int, which: int) -> None:
    with suppress(ProcessLookupError):
        resource.prlimit(pid, which, UNLIMITED)


def _used(pid: int) -> int:
    """Return the address space [bytes] of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def _busy() -> Undo:
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]

    def undo() -> None:
        for process in processes:
            process.kill()
            process.wait()

    return undo
