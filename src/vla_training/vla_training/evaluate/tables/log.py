# SPDX-License-Identifier: Apache-2.0
"""The log of an evaluation: a line an episode, safe on disk when the next begins, so that a stop loses nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from vla_training.evaluate.tables.cells import TableError
from vla_training.evaluate.tables.runner import Row

_NAMES = {each.name for each in fields(Row)}


class Log:
    """Rows of one evaluation in a file of JSON lines; the first line says of what policy, checkpoint and seed."""

    def __init__(self, path: Path, conditions: Mapping[str, Any], fresh: bool = False) -> None:
        """Continue the log at `path`, or begin it. Raises TableError where it is of other conditions, or damaged."""
        self.path = path
        self.rows: dict[tuple[str, int], Row] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh or not path.exists() or not self._read(dict(conditions)):
            path.write_text(json.dumps(dict(conditions)) + "\n", encoding="utf-8")

    def _read(self, conditions: dict[str, Any]) -> bool:
        """Read what is there; a last line that a kill cut short is dropped. Returns whether there was anything."""
        text = self.path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if not whole:
            return False
        if whole != text:
            os.truncate(self.path, len(whole.encode()))
        try:
            first, *others = [json.loads(line) for line in whole.splitlines()]
            if set(first) != set(conditions):
                raise ValueError("the first line has not the conditions of `vla eval tables`")
            rows = [Row(**{name: entry[name] for name in _NAMES & set(entry)}) for entry in others]
        except (ValueError, TypeError) as error:
            raise TableError(f"{self.path} is no log of `vla eval tables`: {error}; --fresh replaces it") from error
        differing = [f"{key} {first[key]!r}, not {value!r}" for key, value in conditions.items() if first[key] != value]
        if differing:
            raise TableError(f"{self.path} is of {'; '.join(differing)}; --fresh discards it, --out names another file")
        self.rows = {(row.cell, row.index): row for row in rows}
        return True

    def add(self, row: Row) -> None:
        """Append an episode and wait until it is on the disk."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.rows[row.cell, row.index] = row
