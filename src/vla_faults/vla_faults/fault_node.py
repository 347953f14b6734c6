# SPDX-License-Identifier: Apache-2.0
"""fault_node: sits on the arrows of the graph and lets faults happen there, when asked."""

import sys

from vla_core.ros.process import run_node


def main(args: list[str] | None = None) -> int:
    """Run the node; the exit status is 0 after a signal, 2 for invalid parameters."""
    return run_node("vla_faults.ros.node:FaultNode", args)


if __name__ == "__main__":
    sys.exit(main())
