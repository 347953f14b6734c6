# SPDX-License-Identifier: Apache-2.0
"""console_node: the operator's page in the browser, served from the robot's own machine."""

import sys

from vla_core.ros.process import run_node


def main(args: list[str] | None = None) -> int:
    """Run the node; the exit status is 0 after a signal, 2 for parameters that cannot be used."""
    return run_node("vla_console.ros.console:ConsoleNode", args)


if __name__ == "__main__":
    sys.exit(main())
