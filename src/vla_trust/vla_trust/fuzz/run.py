# SPDX-License-Identifier: Apache-2.0
"""Runs mutated input through targets for a time, and keeps what was neither accepted nor refused."""

from __future__ import annotations

import contextlib
import random
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from vla_trust.fuzz.mutate import Mutator
from vla_trust.fuzz.target import Target

SLICE_S = 2.0  # [s] of a target before the next one has its turn
HANG_S = 5.0  # [s] after which an input counts as one that hangs its reader
MEMORY = 2 << 30  # [byte] that a reader may take beside what the process has
MAX_FOUND = 20  # distinct failures of a target that are kept


class HangError(Exception):
    """The reader did not return within HANG_S."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that a reader failed at: by an error that is no refusal, a broken promise, or no return in time."""

    target: str
    case: int
    error: str
    where: str  # file and line of the innermost frame of this stack
    shown: str  # the input, shortened
    trace: str = field(repr=False, default="")


@dataclass(slots=True)
class Count:
    """What became of a target's inputs."""

    cases: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    failures: dict[str, Failure] = field(default_factory=dict)  # the first of each place and type
    failed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the report."""
        return {
            "cases": self.cases,
            "accepted": self.accepted,
            "refused": self.refused,
            "failed": self.failed,
            "cases_per_second": round(self.cases / self.seconds, 1) if self.seconds else None,
            "failures": [
                {"case": each.case, "error": each.error, "where": each.where, "input": each.shown}
                for each in self.failures.values()
            ],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The counts by target."""

    seed: int
    counts: dict[str, Count]

    @property
    def cases(self) -> int:
        """Inputs of all targets."""
        return sum(count.cases for count in self.counts.values())

    @property
    def failed(self) -> int:
        """Inputs that a reader failed at."""
        return sum(count.failed for count in self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        targets = {name: count.to_dict() for name, count in self.counts.items()}
        return {"seed": self.seed, "cases": self.cases, "failed": self.failed, "targets": targets}


def fuzz(
    targets: Sequence[Target],
    seconds: float,
    seed: int = 0,
    cases: int | None = None,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """Give the targets their turns until `seconds` are over, or each has had `cases` inputs.

    Case k of a target is the same for the same seed, whatever the other targets and the time.
    """
    report = Report(seed, {target.name: Count() for target in targets})
    end = time.monotonic() + seconds
    with _limits():
        examples = {target.name: list(target.examples()) for target in targets}
        waiting = list(targets)
        while waiting and time.monotonic() < end:
            for target in list(waiting):
                stop = min(end, time.monotonic() + SLICE_S)
                if _slice(target, examples[target.name], seed, report.counts[target.name], stop, cases):
                    waiting.remove(target)
            if progress is not None:
                progress(report)
    return report


def one_case(target: Target, examples: Sequence[Any], seed: int, case: int) -> Any:
    """Return the input of case `case`; the first ones are the examples themselves."""
    if case < len(examples) and target.accepted_first:
        return examples[case]
    rng = random.Random(f"{seed}/{target.name}/{case}")
    return target.mutated(Mutator(rng), rng.choice(examples))


def _slice(target: Target, examples: Sequence[Any], seed: int, count: Count, stop: float, cases: int | None) -> bool:
    """Run cases until `stop`; return whether all are done."""
    begun = time.monotonic()
    while (now := time.monotonic()) < stop and (cases is None or count.cases < cases):
        data = one_case(target, examples, seed, count.cases)
        failure = attempt(target, data, count)
        if failure is not None and len(count.failures) < MAX_FOUND:
            count.failures.setdefault(f"{failure.error[:40]} {failure.where}", failure)
        count.cases += 1
    count.seconds += now - begun
    return cases is not None and count.cases >= cases


def attempt(target: Target, data: Any, count: Count) -> Failure | None:
    """Let the target read an input, and count; return the failure, None where it was accepted or refused."""
    must_pass = target.accepted_first and count.cases == 0
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        target.read(data)
    except target.refuses as error:
        if not must_pass:
            count.refused += 1
            return None
        return _failed(target, data, count, error)
    except (Exception, RecursionError) as error:
        return _failed(target, data, count, error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    count.accepted += 1
    return None


def _failed(target: Target, data: Any, count: Count, error: BaseException) -> Failure:
    count.failed += 1
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "vla_" in frame.filename]
    inner = frames[-1] if frames else None
    where = f"{Path(inner.filename).name}:{inner.lineno}" if inner else "?"
    trace = "".join(traceback.format_exception(error)[-6:])
    return Failure(
        target.name, count.cases, f"{type(error).__name__}: {_shown(error, 200)}", where, _shown(data, 400), trace
    )


def _shown(value: object, limit: int) -> str:
    try:
        return (str(value) if isinstance(value, BaseException) else repr(value))[:limit]
    except (ValueError, RecursionError, MemoryError) as error:  # such as an integer of too many digits
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """Let the alarm raise HangError and bound the memory, while targets run; silence their warnings."""

    def alarm(_number: int, _frame: FrameType | None) -> None:
        raise HangError(f"no return within {HANG_S:g} s")

    before = signal.signal(signal.SIGALRM, alarm)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + MEMORY, hard))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        signal.signal(signal.SIGALRM, before)


def _data_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmData"))
