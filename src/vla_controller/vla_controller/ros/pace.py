# SPDX-License-Identifier: Apache-2.0
"""One thread that serves callbacks between ticks and ticks on time.

Callbacks and ticks share a thread on purpose: a second Python thread would have to wait for the interpreter lock just
when a tick is due, and the controller would need locks.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

from rclpy.clock import Clock
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node

_SLEEP_ALONE = 0.003  # [s] before a tick in which no callback is begun any more
_MOST_ALONE = 0.3  # of the period, for that
_LEAST_SHARE = 0.8  # of the period between two ticks
_SIM_TIME_POLL = 0.005  # [s]


def settle_memory() -> None:
    """Take everything made so far out of the garbage collector's sight, so that its pauses stay short."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def run(node: Node, clock: Clock | None, period: float, tick: Callable[[], bool], close: Callable[[], None]) -> None:
    """Serve ``node`` and call ``tick`` every ``period`` [s] of the wall clock, or of ``clock``, until it returns False.

    When anything raises, ``close`` is called and ``tick`` continues until it returns False, so that the arm is at rest
    before the error is reported.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if clock is None:
            _run_on_wall_clock(executor, period, tick)
        else:
            _run_on_ros_clock(executor, clock, period, tick)
    except Exception:
        close()
        while tick():
            time.sleep(period)
        raise
    finally:
        executor.shutdown()


def _run_on_wall_clock(executor: Executor, period: float, tick: Callable[[], bool]) -> None:
    """After a late tick the next one keeps a distance: two setpoints at once would ask the arm for twice its speed."""
    due = time.monotonic()
    alone = min(_SLEEP_ALONE, _MOST_ALONE * period)
    while True:
        start = time.monotonic()
        if not tick():
            return
        due = max(due + period, start + _LEAST_SHARE * period)
        executor.spin_once(timeout_sec=0.0)  # at least one callback, however late it is
        while (remaining := due - time.monotonic()) > 0.0:
            if remaining > alone:
                executor.spin_once(timeout_sec=remaining - alone)
            else:
                time.sleep(remaining)


def _run_on_ros_clock(executor: Executor, clock: Clock, period: float, tick: Callable[[], bool]) -> None:
    """A clock that stands still stops the ticks as well."""
    due = 0.0
    while True:
        now = clock.now().nanoseconds * 1e-9
        if now >= due or now < due - 2.0 * period:
            if not tick():
                return
            due = max(due + period, now) if due > 0.0 else now + period
        executor.spin_once(timeout_sec=_SIM_TIME_POLL)
