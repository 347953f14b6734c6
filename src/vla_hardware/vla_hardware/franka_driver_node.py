# SPDX-License-Identifier: Apache-2.0
"""franka_driver_node: a Franka Research 3 over libfranka's protocol, with the ROS face of the simulator."""

import sys
from collections.abc import Sequence

from vla_core.ros.process import run_node


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; exit status 0 after a signal, 1 after a failure, 2 where the arm cannot be driven as it is."""
    return run_node("vla_hardware.ros.franka:FrankaDriverNode", args)


if __name__ == "__main__":
    sys.exit(main())
