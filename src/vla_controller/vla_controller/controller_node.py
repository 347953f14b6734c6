# SPDX-License-Identifier: Apache-2.0
"""controller_node: action chunks and trajectories in, a jerk-limited setpoint out at every tick."""

from __future__ import annotations

import os
import sys

from vla_core.ros.process import run_node


def main(args: list[str] | None = None) -> int:
    """Run the node; the exit status is 0 after a signal, 2 when it cannot work as it was started."""
    # A synchronous publication waits for locks that a slow reader may hold: seen for 30 ms, with a tick due.
    os.environ.setdefault("RMW_FASTRTPS_PUBLICATION_MODE", "ASYNCHRONOUS")
    return run_node("vla_controller.ros.node:ControllerNode", args)


if __name__ == "__main__":
    sys.exit(main())
