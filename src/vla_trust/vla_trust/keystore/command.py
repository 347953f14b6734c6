# SPDX-License-Identifier: Apache-2.0
"""`vla keystore DIR [NAME:=VALUE…]`: SROS2 enclaves with the least privilege for the graph of `vla up`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from vla_bringup.description import GraphError
from vla_bringup.graph import GRAPH
from vla_core.dds_security import missing_security
from vla_core.robot import load_robot_config

from vla_trust.keystore.enclaves import enclaves, lines
from vla_trust.keystore.store import KeystoreError, write_keystore


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the keystore; return 0, or 2 for arguments or a folder that are refused."""
    parser = argparse.ArgumentParser(prog="vla keystore", description=__doc__)
    parser.add_argument("folder", type=Path, help="new folder, or a keystore whose enclaves are renewed")
    parser.add_argument("words", nargs="*", metavar="NAME:=VALUE", help="as `vla up` takes them")
    domain = os.environ.get("ROS_DOMAIN_ID", "") or "0"
    parser.add_argument("--domain", type=int, default=int(domain), help=f"ROS_DOMAIN_ID of the graph ({domain})")
    options = parser.parse_args(arguments)
    try:
        given = GRAPH.parse_command_line(options.words)
        starts = GRAPH.resolve(given, Path(get_package_share_directory("vla_bringup")))
        found = enclaves(starts, load_robot_config(given.get("robot", "fr3")))
        write_keystore(options.folder, found, options.domain)
    except (GraphError, KeystoreError) as error:
        print(f"vla keystore: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines(found)))
    print(f"\nexport ROS_SECURITY_KEYSTORE={options.folder.resolve()}")
    print("export ROS_SECURITY_ENABLE=true ROS_SECURITY_STRATEGY=Enforce")
    print("each node with --ros-args --enclave PATH, its path as listed above")
    if why := missing_security():
        print(f"\nnot on this machine: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
