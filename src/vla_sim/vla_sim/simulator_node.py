# SPDX-License-Identifier: Apache-2.0
"""simulator_node: a simulated arm at a table, with the ROS face of a real one under ros2_control."""

import sys
from collections.abc import Sequence

from vla_core.ros.process import Ending, run_node


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; the exit status is 0 after a signal, 1 without graphics, 2 for invalid parameters."""
    ending = Ending()
    from vla_sim.world.graphics import GraphicsError, ensure_renderer  # loads MuJoCo: after the signals are noted

    try:
        ensure_renderer()
    except GraphicsError as error:
        print(f"simulator_node: {error}", file=sys.stderr)
        return 1
    return run_node("vla_sim.ros.simulator:SimulatorNode", args, ending)


if __name__ == "__main__":
    sys.exit(main())
