# SPDX-License-Identifier: Apache-2.0
"""Start of ROS in a process: the domain and the log folder are checked, and a failure is one clear line."""

import os
import sys
from collections.abc import Sequence
from typing import Any

LAST_DOMAIN = 232  # the highest whose UDP ports exist
INTERRUPTED = 130  # exit status of a command after Ctrl-C


class RosStartError(RuntimeError):
    """ROS cannot start in this environment; the text says why and what helps."""


def domain_id() -> int:
    """Return the ROS domain of this process.

    Raises:
        RosStartError: ROS_DOMAIN_ID is not a whole number from 0 to 232.
    """
    text = os.environ.get("ROS_DOMAIN_ID", "").strip() or "0"
    if not text.isdecimal() or int(text) > LAST_DOMAIN:
        raise RosStartError(f"ROS_DOMAIN_ID={text!r} is not valid; a whole number from 0 to {LAST_DOMAIN} is needed")
    return int(text)


def start_ros(args: Sequence[str] | None = None, context: Any = None) -> None:
    """Call `rclpy.init` without its signal handlers, for `args` (None: the command line) and `context`.

    Raises:
        RosStartError: the domain is invalid, no log file can be written, or `args` has invalid ROS arguments.
    """
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    domain_id()
    try:
        # rclpy's own handlers would lose a signal that comes while the context is being made.
        rclpy.init(
            args=None if args is None else list(args),
            context=context,
            signal_handler_options=SignalHandlerOptions.NO,
        )
    except Exception as error:  # the binding's error types differ between distributions
        reason = str(error).split(", at ")[0].strip()
        remedy = "; set ROS_LOG_DIR to a folder that can be written" if "log" in reason.lower() else ""
        raise RosStartError(f"ROS cannot start: {reason}{remedy}") from error


def create_node(name: str, namespace: str = "", context: Any = None) -> Any:
    """Return an rclpy node of a command-line program in `namespace`.

    Raises:
        RosStartError: the namespace is invalid.
    """
    import rclpy
    from rclpy.exceptions import InvalidNamespaceException

    try:
        return rclpy.create_node(name, namespace=namespace, context=context)
    except InvalidNamespaceException as error:
        valid = "names of letters, digits and _, joined by /, for example left"
        raise RosStartError(f"namespace {namespace!r} is not valid; valid are {valid}") from error


def refuse(error: Exception) -> int:
    """Print `error` as one line under this program's name; return the exit status 2."""
    name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    print(f"{name}: {error}", file=sys.stderr, flush=True)
    return 2
