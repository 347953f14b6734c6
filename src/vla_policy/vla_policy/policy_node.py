# SPDX-License-Identifier: Apache-2.0
"""The policy node's process: start, end, exit status."""

import gc
import sys

from vla_policy.ros.process import note_signals, shut_down_after

EXIT_UNUSABLE = 2  # the policy or a parameter cannot be used


def main(args: list[str] | None = None) -> int:
    """Run the node; return 0 after a signal, 2 when the policy or a parameter cannot be used."""
    signals = note_signals()
    import rclpy  # this and what follows is slow: after the signals
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions
    from vla_core.settings import SettingsError

    from vla_policy.errors import PolicyError
    from vla_policy.ros.node import PolicyNode

    node = None
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        executor = SingleThreadedExecutor()  # before a shutdown can come: a half-made one complains when it goes
        shut_down_after(signals)
        node = PolicyNode()
        executor.add_node(node)
        executor.spin()
    except ExternalShutdownException:
        pass
    except Exception as error:
        if not rclpy.ok():  # a signal took ROS down under whatever was being done, loading the policy above all
            return 0
        if not isinstance(error, PolicyError | SettingsError):
            raise
        print(f"policy_node: {error}", file=sys.stderr, flush=True)
        return EXIT_UNUSABLE
    finally:
        if node is not None:
            node.close()
        rclpy.try_shutdown()
        gc.freeze()  # or the interpreter looks through all of a model's library on its way out, for seconds
    return 0


if __name__ == "__main__":
    sys.exit(main())
