# SPDX-License-Identifier: Apache-2.0
"""scene_node: camera pictures in, objects with positions and relations out."""

import sys

from vla_core.ros.process import run_node


def main(args: list[str] | None = None) -> int:
    """Run the node; the exit status is 0 after a signal, 2 for parameters that cannot be used."""
    return run_node("vla_perception.ros.scene:SceneNode", args)


if __name__ == "__main__":
    sys.exit(main())
