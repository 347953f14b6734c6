# SPDX-License-Identifier: Apache-2.0
"""The thread that compresses and writes, so that whoever receives messages never waits for a disk."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from vla_recorder.bag.bag import Recorded
from vla_recorder.episodes import Episodes

T = TypeVar("T")
IDLE_S = 0.1  # [s] longest wait of the thread for a message


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message on its way to the disk."""

    message: Recorded
    latched: bool


class Worker:
    """Feeds `episodes` from a thread of its own. `put` never blocks; `call` runs a function between two messages."""

    def __init__(
        self, episodes: Episodes, encode: Callable[[Recorded], Recorded], capacity: int, flush_period_s: float
    ) -> None:
        """`encode`: what becomes of a message before it is stored; `capacity`: bytes that may wait."""
        self._episodes, self._encode = episodes, encode
        self._capacity, self._period_s = capacity, flush_period_s
        self._queue: queue.SimpleQueue[Arrived | Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting = 0  # bytes; a lost update of the two threads is bounded by the lock
        self._lock = threading.Lock()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="recorder")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, message: Recorded, latched: bool) -> None:
        """Hand over a message; it is dropped and counted when too many bytes wait."""
        with self._lock:
            if self._waiting + len(message.data) > self._capacity:
                self.dropped += 1
                return
            self._waiting += len(message.data)
        self._queue.put(Arrived(message, latched))

    def call(self, function: Callable[[], T], timeout_s: float) -> T:
        """Run `function` in the thread after the messages that came before; return or raise what it does.

        Raises:
            TimeoutError: the disk takes longer than `timeout_s` [s].
        """
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)

        self._queue.put(run)
        return future.result(timeout_s)

    def stop(self) -> None:
        """Write what waits, close the episode and end the thread."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        due = time.monotonic() + self._period_s
        while True:
            try:
                item = self._queue.get(timeout=IDLE_S)
            except queue.Empty:
                pass
            else:
                if item is None:
                    break
                self._take(item)
            if time.monotonic() >= due:
                self._episodes.flush()
                due = time.monotonic() + self._period_s
        self._episodes.close()

    def _take(self, item: Arrived | Callable[[], None]) -> None:
        if not isinstance(item, Arrived):
            item()
            return
        with self._lock:
            self._waiting -= len(item.message.data)
        self._episodes.add(self._encode(item.message), item.latched)
