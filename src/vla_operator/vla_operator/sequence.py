# SPDX-License-Identifier: Apache-2.0
"""Numbers of instructions: strictly increasing, whatever happens to the process, its files and the clock."""

import json
from pathlib import Path

from vla_core.files import write_text
from vla_core.instruction import BEYOND


class InstructionSequence:
    """Numbers from the wall clock's nanoseconds, never below one that was given or seen before.

    The clock alone orders the numbers of two lives of a process; the file does when the clock went back between them,
    and what receivers report when the file is lost too.
    """

    def __init__(self, path: Path) -> None:
        """Read the latest number from `path`, if there is one."""
        self._path = path
        self.problem = ""
        self.latest = 0
        self._last = self._read()

    def next(self, now_ns: int) -> int:
        """Return the next number at the wall clock's time `now_ns` [ns] and keep it; `problem` says if that failed."""
        self.latest = self._last = max(self._last + 1, now_ns)
        try:
            write_text(self._path, json.dumps({"sequence": self._last}) + "\n")
            self.problem = ""
        except OSError as error:
            self.problem = f"the number of the latest instruction cannot be kept in {self._path}: {error}"
        return self._last

    def note_seen(self, sequence: int) -> None:
        """Keep above a number that a receiver has seen."""
        if sequence < BEYOND:
            self._last = max(self._last, sequence)

    def _read(self) -> int:
        try:
            sequence = json.loads(self._path.read_text(encoding="utf-8"))["sequence"]
            return sequence if isinstance(sequence, int) and 0 <= sequence < BEYOND else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0  # the clock and the receivers are left
