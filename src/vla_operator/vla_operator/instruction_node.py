# SPDX-License-Identifier: Apache-2.0
"""instruction_node: text and voice commands in, instructions for policy and controller out."""

import sys

from vla_operator.ros.process import run


def main() -> None:
    """Run the node until SIGINT or SIGTERM."""
    sys.exit(run("vla_operator.ros.instructions", "InstructionNode"))


if __name__ == "__main__":
    main()
