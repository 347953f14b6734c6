# SPDX-License-Identifier: Apache-2.0
"""Real-time priority for processes that an arm waits for."""

from __future__ import annotations

import contextlib
import os

_PRIORITY = 10  # of the real-time scheduler, 1 to 99
_NICENESS = -10


def ask_for_real_time() -> str:
    """Ask for a real-time or a higher priority for this process; returns what was granted.

    All its threads get it: a tick waits for a lock of the middleware as long as the thread that holds it waits to run.
    """
    with contextlib.suppress(OSError, AttributeError):
        for thread in _threads():
            os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(_PRIORITY))
        return "real-time priority"
    with contextlib.suppress(OSError, AttributeError):
        for thread in _threads():
            os.setpriority(os.PRIO_PROCESS, thread, _NICENESS)
        return "raised priority"
    return "normal priority"


def _threads() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/task")]
