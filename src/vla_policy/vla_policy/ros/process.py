# SPDX-License-Identifier: Apache-2.0
"""Signals of the node's process. Imports nothing slow, so that one which comes during the imports counts too."""

import os
import signal
import sys
import threading


def note_signals() -> int:
    """From now on SIGINT and SIGTERM only leave a byte in a pipe; return the end to read from."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return reading


def shut_down_after(pipe: int) -> None:
    """Take ROS down, from a thread, once `pipe` has a byte; one that was there before counts."""
    threading.Thread(target=_wait, args=(pipe,), daemon=True).start()


def _wait(pipe: int) -> None:
    import rclpy

    os.read(pipe, 1)
    sys.unraisablehook = lambda _: None  # what the shutdown finds half made complains when it is freed
    rclpy.try_shutdown()
