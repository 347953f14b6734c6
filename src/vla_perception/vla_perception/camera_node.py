# SPDX-License-Identifier: Apache-2.0
"""camera_node: camera images and robot states in, observations for the policy out."""

import sys

from vla_core.ros.process import run_node


def main(args: list[str] | None = None) -> int:
    """Run the node; the exit status is 0 after a signal, 2 for invalid parameters."""
    return run_node("vla_perception.ros.camera:CameraNode", args)


if __name__ == "__main__":
    sys.exit(main())
