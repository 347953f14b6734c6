# SPDX-License-Identifier: Apache-2.0
"""What the controller's ticks are compared with: an ordinary rclpy timer in a process of its own.

Arguments: rate [Hz], `realtime` or `normal`. On SIGUSR1 it restarts, on SIGINT it prints its periods [s] as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from itertools import pairwise

import rclpy
from rclpy.executors import ExternalShutdownException

_PRIORITY = 10  # as the controller asks for


def main() -> None:
    """Tick until SIGINT."""
    rate, priority = float(sys.argv[1]), sys.argv[2]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    times: list[float] = []
    signal.signal(signal.SIGUSR1, lambda number, frame: times.clear())
    rclpy.init()
    node = rclpy.create_node(f"timer_{priority}_node")
    node.create_timer(1.0 / rate, lambda: times.append(time.monotonic()))
    if priority == "realtime":
        with suppress(OSError):
            for thread in os.listdir("/proc/self/task"):
                os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(_PRIORITY))
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    print(json.dumps([b - a for a, b in pairwise(times)]), flush=True)


if __name__ == "__main__":
    main()
