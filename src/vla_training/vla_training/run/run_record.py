# SPDX-License-Identifier: Apache-2.0
"""What a training run is made of, as run.json in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vla_core.files import write_text

RECORD = "run.json"


def read_record(folder: Path) -> dict[str, Any]:
    """What `write_record` wrote; empty when there is nothing of use."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(folder: Path, record: dict[str, Any], command: str) -> dict[str, Any]:
    """Write the record with its `commands`: a resumed run keeps the earlier ones. Returns what was written."""
    commands = dict.fromkeys([*read_record(folder).get("commands", []), command])
    whole = {**record, "commands": list(commands)}
    write_text(folder / RECORD, json.dumps(whole, indent=1) + "\n")
    return whole
