# SPDX-License-Identifier: Apache-2.0
"""simulator_node: a simulated arm at a table, with the ROS face of a real one under ros2_control."""

import signal
import sys
import threading
from collections.abc import Sequence

INVALID = 2  # exit status when a parameter is not valid
WAIT_S = 0.2  # how soon a signal is noticed when nothing else happens


def main(args: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM. Returns 0, 1 after a failure, or 2 for parameters that are not valid."""
    # Signals only set a flag: an exception out of nowhere while libraries load or threads start can end in a crash.
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    from vla_sim.world.graphics import (  # this and what follows loads MuJoCo: after the flag
        GraphicsError,
        ensure_renderer,
    )

    try:
        ensure_renderer()
    except GraphicsError as error:
        return _refuse(error, 1)
    return 0 if stopping.is_set() else _run(args, stopping)


def _run(args: Sequence[str] | None, stopping: threading.Event) -> int:
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions
    from vla_core.settings import SettingsError

    from vla_sim.ros.simulator import SimulatorNode
    from vla_sim.world.robots import UnknownRobotError

    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node = None
    try:
        node = SimulatorNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while not stopping.is_set():
            executor.spin_once(timeout_sec=WAIT_S)
    except ExternalShutdownException:
        pass
    except (SettingsError, UnknownRobotError) as error:
        return _refuse(error, INVALID)
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 1 if node.failure else 0


def _refuse(error: Exception, status: int) -> int:
    print(f"simulator_node: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
