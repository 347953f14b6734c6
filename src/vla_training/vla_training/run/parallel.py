# SPDX-License-Identifier: Apache-2.0
"""Numbered pieces of work in several processes, with results in order."""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any, Protocol, TypeVar

from vla_training.run.errors import TrainingError

R_co = TypeVar("R_co", covariant=True)
AHEAD = 4  # pieces of work a process that may wait for their turn


class Worker(Protocol[R_co]):
    """Does pieces of work one after the other; it lives in one process."""

    def run(self, item: int) -> R_co:
        """One piece of work."""

    def close(self) -> None:
        """Free what it holds."""


def run_in_order(make: Callable[[], Worker[R_co]], items: Sequence[int], processes: int) -> Generator[R_co, None, None]:
    """Results of every item, in order. `make` (picklable) is called in each process; with one, in this very one.

    Closing the iterator ends the processes after the work that they are at. Raises TrainingError when one dies.
    """
    if processes > 1 and len(items) > 1:
        yield from _in_processes(make, items, min(processes, len(items)))
        return
    worker = make() if items else None
    try:
        for item in items:
            assert worker is not None
            yield worker.run(item)
    finally:
        if worker is not None:
            worker.close()


def _in_processes(
    make: Callable[[], Worker[R_co]], items: Sequence[int], processes: int
) -> Generator[R_co, None, None]:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    executor = ProcessPoolExecutor(processes, context, _begin, (make, stop))
    waiting: deque[Future[Any]] = deque()
    left = iter(items)
    try:
        with _interrupts_ignored():  # and so by the processes that the first submission starts: Ctrl-C is our affair
            waiting.append(executor.submit(_run, next(left)))
        while waiting:
            for item in left:
                waiting.append(executor.submit(_run, item))
                if len(waiting) >= AHEAD * processes:
                    break
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise TrainingError("a worker process died; its own message is above (was memory short?)") from error
    finally:
        stop.set()
        executor.shutdown(wait=False, cancel_futures=True)


_worker: Worker[Any] | None = None
_stopping: Event | None = None


def _begin(make: Callable[[], Worker[Any]], stop: Event) -> None:
    global _worker, _stopping
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker, _stopping = make(), stop
    atexit.register(_end)


def _end() -> None:
    """Free the worker before the interpreter goes: libraries with GL contexts or bindings complain afterwards."""
    global _worker
    if _worker is not None:
        _worker.close()
    _worker = None
    gc.collect()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(item: int) -> Any:
    assert _worker is not None
    assert _stopping is not None
    return None if _stopping.is_set() else _worker.run(item)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
