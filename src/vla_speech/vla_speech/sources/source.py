# SPDX-License-Identifier: Apache-2.0
"""A source of sound that runs in a thread, and begins again when it fails."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from vla_speech.errors import SoundError
from vla_speech.sound import Samples

RETRY = 2.0  # [s] after which a source that failed is tried again

Hear = Callable[[Samples], None]


class Source(ABC):
    """Calls `hear` with 16 kHz mono until it is closed; `trouble` says what is wrong now, empty: nothing."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._closing = threading.Event()
        self.trouble = ""
        self.over = False  # nothing more will come
        self._thread = threading.Thread(target=self._run, name="sound", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; returns when the thread has ended."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
            except SoundError as error:
                self.trouble = str(error)
                self._closing.wait(RETRY)
            else:
                break
        self.over = True

    @abstractmethod
    def _listen(self) -> None:
        """Call `hear` until the source is over or closed. Raises SoundError when it fails."""
