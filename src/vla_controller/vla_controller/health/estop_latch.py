# SPDX-License-Identifier: Apache-2.0
"""The emergency stop in a file, so that it outlives the process. A broken file latches too."""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime
from pathlib import Path

from vla_core.files import write_text


class EstopLatch:
    """Sets, clears and finds the file at ``path``. Errors are returned as texts: the arm stops without a file too."""

    def __init__(self, path: Path) -> None:
        """Nothing is read or written yet."""
        self.path = path

    def since(self) -> str:
        """Return when the stop that is still latched was given; empty: none is."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return str(content["since"]) or "an unknown time"
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, KeyError, TypeError):
            return "an unknown time"

    def set(self) -> str:
        """Latch; return why the file could not be written, or nothing."""
        try:
            write_text(
                self.path, json.dumps({"since": datetime.now().astimezone().isoformat(timespec="seconds")}) + "\n"
            )
        except OSError as error:
            return f"the emergency stop will not outlive this process: {error}"
        threading.Thread(target=self._flush, daemon=True).start()  # a disk may take longer than a tick
        return ""

    def clear(self) -> str:
        """Unlatch; return why the file could not be removed, or nothing."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            return f"the next start will be latched again: {error}"
        return ""

    def _flush(self) -> None:
        for path in (self.path, self.path.parent):
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except OSError:  # cleared meanwhile
                continue
            os.fsync(descriptor)
            os.close(descriptor)
