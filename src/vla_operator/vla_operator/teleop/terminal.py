# SPDX-License-Identifier: Apache-2.0
"""The terminal that a person types in: keys one at a time, a line of state, and as it was at the end."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from types import TracebackType

from vla_operator.teleop.keys import ASK, DISABLE, ENABLE, UNWATCH, WATCH, Keys
from vla_operator.teleop.reading import DeviceError, DeviceLostError, Reading

_WIDTH = 160  # letters of the line of state at most
_ANSWER_TIME = 0.1  # [s] for a terminal to say what it can


class Terminal:
    """Reads keys from the terminal of this process. A context manager: the terminal is left as it was."""

    name = "keyboard"

    def __init__(self, descriptor: int | None = None) -> None:
        """Raise DeviceError without a terminal. ``descriptor``: another one than that of the process."""
        self._in = sys.stdin.fileno() if descriptor is None else descriptor
        self._out = self._in if descriptor is not None else sys.stdout.fileno()
        if not os.isatty(self._in):
            raise DeviceError(
                "the keyboard needs a terminal, and the input of this process is none; start `./vla teleop keyboard` "
                "in a terminal, or use gamepad, joy or topic"
            )
        self.keys = Keys()

    def __enter__(self) -> Terminal:
        self._before = termios.tcgetattr(self._in)
        tty.setraw(self._in, termios.TCSADRAIN)
        attributes = termios.tcgetattr(self._in)
        attributes[1] |= termios.OPOST  # lines that others print still begin at the left
        termios.tcsetattr(self._in, termios.TCSADRAIN, attributes)
        self._write(ASK)
        if select.select([self._in], [], [], _ANSWER_TIME)[0]:
            self.read()
        if self.keys.reports_releases:
            self._write(ENABLE + WATCH)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.keys.reports_releases:
            self._write(UNWATCH + DISABLE)
        self._write(b"\r\n")
        termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)

    def read(self) -> Reading:
        """Return the keys that are down.

        Raises:
            DeviceLostError: the terminal is gone.
        """
        now = time.monotonic()
        while select.select([self._in], [], [], 0.0)[0]:
            try:
                data = os.read(self._in, 1024)
            except OSError as error:
                raise DeviceLostError(f"the terminal is gone: {error}") from error
            if not data:
                raise DeviceLostError("the terminal is gone")
            self.keys.feed(data, now)
        return Reading(keys=self.keys.down(now))

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was typed."""
        return self.keys.interrupted

    def show(self, line: str) -> None:
        """Show one line of state in place of the one before."""
        self._write(f"\r\x1b[K{line[:_WIDTH]}".encode())

    def _write(self, data: bytes) -> None:
        os.write(self._out, data)
