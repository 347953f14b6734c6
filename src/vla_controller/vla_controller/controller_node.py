# SPDX-License-Identifier: Apache-2.0
"""controller_node: action chunks and trajectories in, a jerk-limited setpoint out at every tick."""

from __future__ import annotations

import sys

from vla_controller.ros.process import run


def main(args: list[str] | None = None) -> int:
    """Run the node; return 0 after a signal, 2 when it cannot work as it was started."""
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
