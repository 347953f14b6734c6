# SPDX-License-Identifier: Apache-2.0
"""teleop_node: a person's keyboard, gamepad or topics in, commands with a deadman for the controller out."""

import sys

from vla_core.ros.process import run_node


def main(args: list[str] | None = None) -> int:
    """Run the node; the exit status is 0 after a signal, 1 for a device that was lost, 2 for one that is not there."""
    return run_node("vla_operator.ros.teleop.node:TeleopNode", args)


if __name__ == "__main__":
    sys.exit(main())
