# SPDX-License-Identifier: Apache-2.0
"""simulator_node: a simulated arm at a table, with the ROS face of a real one under ros2_control."""

import signal
import sys
from collections.abc import Sequence

INVALID = 2  # exit status when a parameter is not valid


def main(args: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM. Returns 0, 1 after a failure, or 2 for parameters that are not valid."""
    # Imports stand here so that Ctrl-C during them ends quietly, and the renderer is chosen before MuJoCo is loaded.
    try:
        from vla_sim.graphics import GraphicsError, ensure_renderer

        try:
            ensure_renderer()
        except GraphicsError as error:
            return _refuse(error, 1)
        return _run(args)
    except KeyboardInterrupt:
        return 0


def _run(args: Sequence[str] | None) -> int:
    import rclpy
    from rclpy.executors import ExternalShutdownException

    from vla_sim.robots import UnknownRobotError
    from vla_sim.ros.simulator import SimulatorNode
    from vla_sim.settings import SettingsError

    node = None
    try:
        rclpy.init(args=args)
        node = SimulatorNode()
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (SettingsError, UnknownRobotError) as error:
        return _refuse(error, INVALID)
    except Exception:
        if rclpy.ok():  # a call that the shutdown cut short is no failure
            raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # a second signal must not interrupt the cleaning up
            signal.signal(number, signal.SIG_IGN)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 1 if node is not None and node.failure else 0


def _refuse(error: Exception, status: int) -> int:
    print(f"simulator_node: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
