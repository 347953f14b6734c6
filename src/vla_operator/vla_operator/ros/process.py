# SPDX-License-Identifier: Apache-2.0
"""Start and end of a node's process. Imports nothing slow, so that a signal during the imports is noted too."""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence

from vla_core.settings import SettingsError


def run(module: str, node_class: str, args: Sequence[str] | None = None) -> int:
    """Spin the node of ``module`` until SIGINT or SIGTERM.

    Returns the exit status: 0, or 1 with a message for refused parameters.
    """
    ending = _note_signals()
    import rclpy
    from rclpy.executors import ExternalShutdownException
    from rclpy.signals import SignalHandlerOptions

    make_node = getattr(importlib.import_module(module), node_class)
    node = None
    try:
        # rclpy's own handlers would lose a signal that comes while the context is being made.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        threading.Thread(target=_shut_down_after, args=(ending,), daemon=True).start()
        node = make_node()
        rclpy.spin(node)
    except ExternalShutdownException:
        pass
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception:
        if rclpy.ok():  # a call that the shutdown cut short is no failure
            raise
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _note_signals() -> int:
    """Turn SIGINT and SIGTERM into bytes of the pipe whose reading end is returned."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return reading


def _shut_down_after(pipe: int) -> None:
    import rclpy

    os.read(pipe, 1)
    sys.unraisablehook = lambda _: None  # what the shutdown finds half made complains when it is freed
    rclpy.try_shutdown()
