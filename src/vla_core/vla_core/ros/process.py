# SPDX-License-Identifier: Apache-2.0
"""Start and end of a node's process. Imports nothing slow, so that a signal during the imports is noted too."""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from vla_core.ros.deadline import Deadline
from vla_core.ros.start import RosStartError, refuse, start_ros

if TYPE_CHECKING:
    from vla_core.ros.managed import ManagedNode

REFUSED = 2  # exit status of a node that cannot work as it was started
DEADLINE = 8.0  # [s] after a signal, or after the node has ended: longer than any orderly end


def _nothing() -> None: ...


class Ending:
    """The request to end this process: SIGINT or SIGTERM, noted from the construction on."""

    def __init__(self) -> None:
        """Take both signals; neither ends anything by itself."""
        self.requested = False
        self.deadline = Deadline()
        self._action: Callable[[], None] = _nothing
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        threading.Thread(target=self._wait, args=(reading,), name="ending", daemon=True).start()

    def then(self, action: Callable[[], None]) -> None:
        """Call `action` from a thread when a signal comes, or at once when one has come; it may be called twice."""
        self._action = action
        if self.requested:
            action()

    def _wait(self, pipe: int) -> None:
        os.read(pipe, 1)
        self.deadline.set(0, DEADLINE)
        self.requested = True
        self._action()


def end_process(status: int) -> NoReturn:
    """End this process now with the exit status `status`, without the interpreter's finalisation.

    For a node that was refused: static destructors of the C++ libraries would run there beside threads of DDS that have
    only just begun, and once that ended in a segmentation fault. Not for one that has worked: what it still holds of
    DDS says farewell in the finalisation alone.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a pipe whose reader is gone; a closed stream
            stream.flush()
    os._exit(status)


def run_node(target: str, args: Sequence[str] | None = None, ending: Ending | None = None) -> int:
    """Run the ManagedNode class `target` ("package.module:Class") until SIGINT or SIGTERM.

    Args:
        target: imported after the signals are noted.
        args: command line for ROS; None: that of the process.
        ending: where the signals are noted already.

    Returns:
        The exit status: 0 after a signal, 1 after a failure. A node that cannot work as it was started ends the process
        here, with the status 2.
    """
    faulthandler.enable()  # the last trace of a crash in a library
    ending = ending or Ending()
    module, name = target.split(":")
    node_class = getattr(importlib.import_module(module), name)
    if ending.requested:
        return 0
    status = 1
    try:
        start_ros(args)
        status = _serve(node_class, ending)
    except RosStartError as error:
        status = refuse(error)
    except Exception:
        traceback.print_exc()
    finally:
        ending.deadline.set(status, DEADLINE)
        import rclpy

        rclpy.try_shutdown()
        ending.then(_nothing)  # the node's last reference
        gc.collect()  # what still holds a part of it: without its end in DDS others take it for alive for 20 s
    if status == REFUSED:
        end_process(status)
    return status


def _serve(node_class: Any, ending: Ending) -> int:
    """Make, serve and destroy a node; `node_class` is a ManagedNode that needs no arguments."""
    node: ManagedNode | None = None
    try:
        node = node_class()
        ending.then(node.end)
        node.start()
        node.serve()
        return 1 if node.failure else 0
    except node_class.UNUSABLE as error:
        return 0 if ending.requested else refuse(error)
    finally:
        if node is not None:
            ending.deadline.set(1 if sys.exc_info()[0] else 0, DEADLINE)
            node.destroy_node()
