# SPDX-License-Identifier: Apache-2.0
"""Start and end of a node's process."""

import signal
import sys
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from vla_perception.errors import PerceptionError


def run(make_node: Callable[[], Node], args: Sequence[str] | None = None) -> int:
    """Spin a node until SIGINT or SIGTERM. Returns the exit status: 0, or 1 with a message for refused parameters."""
    node = None
    try:
        rclpy.init(args=args)
        node = make_node()
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except PerceptionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception:
        if rclpy.ok():  # a call that the shutdown cut short is no failure
            raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # a second signal must not interrupt the cleaning up
            signal.signal(number, signal.SIG_IGN)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
