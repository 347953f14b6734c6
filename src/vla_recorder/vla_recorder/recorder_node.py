# SPDX-License-Identifier: Apache-2.0
"""recorder_node: the topics of the running graph into bags of MCAP, one an episode."""

import sys

from vla_core.ros.process import run_node


def main(args: list[str] | None = None) -> int:
    """Run the node; the exit status is 0 after a signal, 2 for parameters that cannot be used."""
    return run_node("vla_recorder.ros.recorder:RecorderNode", args)


if __name__ == "__main__":
    sys.exit(main())
