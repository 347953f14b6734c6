# SPDX-License-Identifier: Apache-2.0
"""planner_node: goals of several steps; one instruction after the other goes to the policy."""

import sys

from vla_core.ros.process import run_node


def main(args: list[str] | None = None) -> int:
    """Run the node; the exit status is 0 after a signal, 2 for parameters that cannot be used."""
    return run_node("vla_planner.ros.node:PlannerNode", args)


if __name__ == "__main__":
    sys.exit(main())
