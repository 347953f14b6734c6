# SPDX-License-Identifier: Apache-2.0
"""camera_node: camera images and robot states in, observations for the policy out."""

import sys

from vla_perception.ros.process import run


def main() -> None:
    """Run the node until SIGINT or SIGTERM."""
    sys.exit(run("vla_perception.ros.camera", "CameraNode"))


if __name__ == "__main__":
    main()
