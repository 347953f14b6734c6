# SPDX-License-Identifier: Apache-2.0
"""Keeps processes running and stops them together. honcho starts them, reads their output and prefixes it."""

import os
import queue
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TextIO

from honcho.colour import get_colours
from honcho.printer import Message, Printer
from honcho.process import Process

from .description import RESTART_DELAY_S, RESTART_FORGIVEN_S, RESTART_LIMIT, OnExit

ESCALATION = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
ESCALATE_AFTER_S = 5.0
ORPHANED_OUTPUT_S = 1.0  # how long children of a dead process may keep its output open
STOPPED_BY_US = (0, -signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM)
NOT_STARTED = 1  # exit code of a process that could not be started
SYSTEM = "vla"


@dataclass(frozen=True, slots=True)
class Job:
    """A process to keep: its unique name, its command line and what its end means."""

    name: str
    command: tuple[str, ...]
    on_exit: OnExit = OnExit.SHUTDOWN


@dataclass(slots=True)
class _State:
    job: Job
    colour: str
    pid: int | None = None  # None while it does not run
    restarts: int = 0  # in a row
    started_at: float = 0.0  # [s], monotonic
    restart_at: float | None = None  # [s], monotonic
    last_line: str = ""
    dead_since: float | None = None  # [s], monotonic; seen dead while its output was still open


@dataclass(slots=True)
class Supervisor:
    """Runs `jobs` until one that is required ends or a signal comes, then stops all: SIGINT, SIGTERM, SIGKILL.

    Every process leads its own group, which gets the signals, so that Ctrl-C in the terminal reaches each once. Should
    this process be killed, the kernel sends them SIGINT.
    """

    jobs: Sequence[Job]
    output: TextIO = field(default_factory=lambda: sys.stdout)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    escalate_after_s: float = ESCALATE_AFTER_S
    restart_delay_s: float = RESTART_DELAY_S
    restart_limit: int = RESTART_LIMIT
    restart_forgiven_s: float = RESTART_FORGIVEN_S
    _events: "queue.Queue[Message]" = field(default_factory=queue.Queue, init=False)
    _states: dict[str, _State] = field(default_factory=dict, init=False)
    _printer: Printer = field(init=False)
    _signals: list[int] = field(default_factory=list, init=False)
    _stage: int = field(default=-1, init=False)  # index into ESCALATION; -1 while running
    _stage_since: float = field(default=0.0, init=False)
    _failure: str = field(default="", init=False)

    def run(self) -> int:
        """Start everything, block until all has stopped; return 0 for a clean stop and 1 when a process failed.

        Takes over SIGINT, SIGTERM and SIGHUP meanwhile, so it must be called from the main thread.
        """
        colours = get_colours()
        self._states = {job.name: _State(job, next(colours)) for job in self.jobs}
        self._printer = Printer(self.output, width=max(len(name) for name in (*self._states, SYSTEM)))
        before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            for state in self._states.values():
                if self._stage < 0:
                    self._start(state)
            while any(s.pid is not None or s.restart_at is not None for s in self._states.values()):
                self._turn()
        finally:
            self._send(signal.SIGKILL)
            for number, handler in before.items():
                signal.signal(number, handler)
        self._say(f"stopped, because {self._failure}" if self._failure else "stopped")
        return 1 if self._failure else 0

    def _turn(self) -> None:
        with suppress(queue.Empty):
            message = self._events.get(timeout=0.1)
            if message.type == "line":
                self._write(message)
                self._states[message.name].last_line = message.data.decode(errors="replace").strip()
            elif message.type == "stop":
                self._ended(self._states[message.name], message.data["returncode"])
        while self._signals:
            self._stop(f"{signal.Signals(self._signals.pop()).name} received")
        now = time.monotonic()
        if 0 <= self._stage < len(ESCALATION) - 1 and now - self._stage_since > self.escalate_after_s:
            self._stop(f"not stopped after {self.escalate_after_s:g} s")
        for state in self._states.values():
            self._release_output(state, now)
            if state.restart_at is not None and now >= state.restart_at:
                self._start(state)

    def _start(self, state: _State) -> None:
        state.restart_at = state.dead_since = None
        command = shlex.join(state.job.command)
        if shutil.which("setpriv"):
            command = f"setpriv --pdeathsig INT {command}"
        process = Process(
            f"exec {command} </dev/null", name=state.job.name, colour=state.colour, env=dict(self.environment)
        )
        started: queue.Queue[Message | Exception] = queue.Queue()
        # A thread and not a fork of honcho's: it is cheaper, and the kernel ties the process to the thread's life.
        try:
            threading.Thread(target=_run, args=(process, started, self._events), daemon=True).start()
            outcome = started.get()
        except RuntimeError as error:  # no further thread
            outcome = error
        if isinstance(outcome, Exception):
            how = f"could not be started: {outcome}"
            self._say(f"{state.job.name} {how}")
            self._react(state, NOT_STARTED, how)
        else:
            state.pid, state.started_at = outcome.data["pid"], time.monotonic()
            self._say(f"{state.job.name} started [pid {state.pid}]")

    def _ended(self, state: _State, code: int) -> None:
        how = _describe(code)
        self._say(f"{state.job.name} {how} [pid {state.pid}]")
        state.pid = None
        if time.monotonic() - state.started_at > self.restart_forgiven_s:
            state.restarts = 0
        self._react(state, code, f"{how}: {state.last_line or 'it said nothing'}")

    def _react(self, state: _State, code: int, how: str) -> None:
        """Restart, go on or stop all, as `on_exit` of the job says; `how` it ended, for the end of the output."""
        name, on_exit = state.job.name, state.job.on_exit
        if self._stage >= 0:
            if code not in STOPPED_BY_US:
                self._fail(state, how)
        elif on_exit is OnExit.RESTART and state.restarts < self.restart_limit:
            state.restarts += 1
            state.restart_at = time.monotonic() + self.restart_delay_s
            self._say(f"{name} is restarted in {self.restart_delay_s:g} s ({state.restarts} of {self.restart_limit})")
        elif on_exit is OnExit.RESTART:
            self._fail(state, how)
            self._say(f"{name} stays down: it ended {self.restart_limit + 1} times; the others go on")
        elif on_exit is OnExit.SHUTDOWN or code != 0:
            if code != 0:
                self._fail(state, how)
            self._stop(f"{name} is required")

    def _fail(self, state: _State, how: str) -> None:
        """Keep the first failure for the end of the output."""
        self._failure = self._failure or f"{state.job.name} {how}"

    def _stop(self, reason: str) -> None:
        for state in self._states.values():
            state.restart_at = None
        if self._stage < len(ESCALATION) - 1:
            self._stage += 1
        self._stage_since = time.monotonic()
        number = ESCALATION[self._stage]
        names = [state.job.name for state in self._states.values() if state.pid is not None]
        self._say(f"{reason}: sending {number.name} to {', '.join(names)}" if names else reason)
        self._send(number)

    def _send(self, number: signal.Signals) -> None:
        for state in self._states.values():
            if state.pid is not None:
                quiet = number == signal.SIGINT and not _catches(state.pid, signal.SIGTERM)
                with suppress(ProcessLookupError):
                    os.killpg(state.pid, signal.SIGTERM if quiet else number)

    def _release_output(self, state: _State, now: float) -> None:
        """Kill what a dead process left behind: honcho reports an end only when nobody holds the output any more."""
        if state.pid is None:
            return
        with suppress(ChildProcessError):  # already collected
            if os.waitid(os.P_PID, state.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return
            state.dead_since = state.dead_since or now
            if now - state.dead_since > ORPHANED_OUTPUT_S:
                os.killpg(state.pid, signal.SIGKILL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    def _say(self, text: str) -> None:
        self._write(Message(type="line", data=text, time=datetime.now(), name=SYSTEM, colour=None))

    def _write(self, message: Message) -> None:
        try:
            self._printer.write(message)
        except OSError:  # the reader of our output has gone: go on silently and stop
            self._printer.output = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
            self._signals.append(signal.SIGHUP)


def _run(process: Process, started: "queue.Queue[Message | Exception]", events: "queue.Queue[Message]") -> None:
    try:
        process.run(_Tee(started, events))
    except Exception as error:  # no process, memory or file descriptor left: whoever waits for the start is to know
        started.put(error)


class _Tee:
    """The queue that honcho writes to: the start goes to the one that waits for it, the rest to the loop."""

    def __init__(self, started: "queue.Queue[Message | Exception]", events: "queue.Queue[Message]") -> None:
        self._started, self._events = started, events

    def put(self, message: Message) -> None:
        """Pass `message` on."""
        if message.type == "start":
            self._started.put(message)
        else:
            self._events.put(message)


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process handles a signal. Every ROS node handles SIGTERM; one that does not yet is still importing, and
    there SIGINT would bury what matters under a traceback, where SIGTERM ends it silently."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    mask = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(mask, 16) >> (number - 1) & 1)


def _describe(code: int) -> str:
    if code == 0:
        return "finished"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"failed with exit code {code}"
