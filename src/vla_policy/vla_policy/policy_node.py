# SPDX-License-Identifier: Apache-2.0
"""policy_node: observations and instructions in, action chunks out."""

import sys

from vla_core.ros.process import run_node


def main(args: list[str] | None = None) -> int:
    """Run the node; the exit status is 0 after a signal, 2 when the policy or a parameter cannot be used."""
    return run_node("vla_policy.ros.node:PolicyNode", args)


if __name__ == "__main__":
    sys.exit(main())
