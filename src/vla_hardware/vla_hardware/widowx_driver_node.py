# SPDX-License-Identifier: Apache-2.0
"""widowx_driver_node: a WidowX 250 S over the bus of its servos, with the ROS face of the simulator."""

import sys
from collections.abc import Sequence

from vla_core.ros.process import run_node


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; exit status 0 after a signal, 1 after a failure, 2 where the arm cannot be driven as it is."""
    return run_node("vla_hardware.ros.widowx:WidowXDriverNode", args)


if __name__ == "__main__":
    sys.exit(main())
