# SPDX-License-Identifier: Apache-2.0
"""Questions aloud, by espeak-ng where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress

_PROGRAM = "espeak-ng"


class Voice:
    """Speaks one sentence at a time and waits for none."""

    def __init__(self, wanted: bool) -> None:
        """Look for the program, if a voice is `wanted`."""
        self._program = shutil.which(_PROGRAM) if wanted else None
        self._speaking: subprocess.Popen[bytes] | None = None

    @property
    def available(self) -> bool:
        """Whether there is a voice."""
        return self._program is not None

    @property
    def speaking(self) -> bool:
        """Whether it speaks now: what is heard meanwhile may be itself."""
        return self._speaking is not None and self._speaking.poll() is None

    def say(self, text: str) -> None:
        """Begin to speak `text`; what is being spoken is cut off."""
        self.stop()
        if self._program is not None:
            with suppress(OSError):
                self._speaking = subprocess.Popen(
                    [self._program, "-v", "en", "--", text],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )

    def stop(self) -> None:
        """Fall silent."""
        if self._speaking is not None:
            self._speaking.terminate()
            self._speaking.wait()
            self._speaking = None
