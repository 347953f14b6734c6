# SPDX-License-Identifier: Apache-2.0
"""robot_state_publisher: URDF and joint states in, /robot_description, /tf and /tf_static out."""

import sys

from vla_core.ros.process import run_node


def main(args: list[str] | None = None) -> int:
    """Run the node; the exit status is 0 after a signal, 2 for an invalid description."""
    return run_node("vla_description.ros.publisher:RobotStatePublisher", args)


if __name__ == "__main__":
    sys.exit(main())
