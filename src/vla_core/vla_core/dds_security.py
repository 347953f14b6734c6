# SPDX-License-Identifier: Apache-2.0
"""Whether the installed ROS has DDS Security, and the refusal where it is asked for and missing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

LIBRARY = "lib/librmw_fastrtps_shared_cpp.so"
WITHOUT = b"doesn't have the security libraries"  # text of the library where it was built without
ENABLE = "ROS_SECURITY_ENABLE"


def missing_security(environment: Mapping[str, str] | None = None) -> str:
    """Return why DDS Security cannot be used; empty: nothing speaks against it."""
    for prefix in (environment or os.environ).get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        path = Path(prefix) / LIBRARY
        if prefix and path.is_file():
            if WITHOUT not in path.read_bytes():
                return ""
            return (
                f"this ROS has no DDS security ({path} was built without it, as all wheels are); valid: ROS from apt "
                "with the enclaves of `./vla keystore`, or TLS by a bridge, or a network of its own (docs/security.md)"
            )
    return ""


def refusal(environment: Mapping[str, str] | None = None) -> str:
    """Return why nothing may start: security is asked for by the environment and missing. Empty: it may."""
    given = environment or os.environ
    if given.get(ENABLE, "").lower() != "true":
        return ""
    why = missing_security(given)
    return f"{ENABLE}=true, and {why}" if why else ""
