# SPDX-License-Identifier: Apache-2.0
"""Where a node keeps what has to outlive its process."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def state_folder() -> Path:
    """Return the folder of this user's state: `vla` in XDG_STATE_HOME, else ROS_HOME, else ~/.local/state.

    Without any of them and without a home folder it lies in the folder of temporary files, named by the user's number.
    """
    for variable in ("XDG_STATE_HOME", "ROS_HOME"):
        if os.environ.get(variable):
            return Path(os.environ[variable]) / "vla"
    try:
        return Path.home() / ".local/state/vla"
    except RuntimeError:  # no HOME, and the user has no entry in the system's list
        return Path(tempfile.gettempdir()) / f"vla-state-{os.getuid()}"


def state_file(kind: str, domain: int, namespace: str, *names: str) -> Path:
    """Return the file of a `kind` of state for one graph: its ROS domain, its namespace and further `names`."""
    parts = (kind, f"domain{domain}", *namespace.strip("/").split("/"), *names)
    return state_folder() / ("-".join(part for part in parts if part) + ".json")
