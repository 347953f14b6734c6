# SPDX-License-Identifier: Apache-2.0
"""Start and end of the node's process. Imports nothing slow, so that a signal during the imports is noted too."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

EXIT_UNUSABLE = 2  # a parameter or the robot's description cannot be used, or another controller is there


class Ending:
    """Whether SIGINT or SIGTERM came; from its making on they end nothing by themselves."""

    def __init__(self) -> None:
        """Take both signals."""
        self.asked = False
        self._action: Callable[[], None] = lambda: None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def then(self, action: Callable[[], None]) -> None:
        """Call ``action`` when one comes, or at once when it has come."""
        self._action = action
        if self.asked:
            action()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._action()


def run(args: Sequence[str] | None = None) -> int:
    """Run the controller node; return 0 after a signal, 2 when it cannot work as it was started."""
    ending = Ending()
    # A synchronous publication waits for locks that a slow reader may hold: seen for 30 ms, with a tick due.
    os.environ.setdefault("RMW_FASTRTPS_PUBLICATION_MODE", "ASYNCHRONOUS")
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    serving = importlib.import_module("vla_controller.ros.serving")
    if ending.asked:
        return 0
    node = None
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = serving.make()
        serving.serve(node, ending)
    except serving.UNUSABLE as error:
        print(f"controller_node: {error}", file=sys.stderr, flush=True)
        return EXIT_UNUSABLE
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
        del node
        serving.release_memory()  # else ruckig's bindings complain of leaks at exit
    return 0
