# SPDX-License-Identifier: Apache-2.0
"""One line about a long run of episodes: how many, how fast, how long still, with which success.

Not rich.progress: that writes nothing where the output is no terminal, and these runs live in log files.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import TextIO

TERMINAL_PERIOD, LOG_PERIOD = 0.2, 10.0  # [s]


class Progress:
    """Rewrites one line on a terminal; elsewhere it prints a line every ten seconds."""

    def __init__(
        self,
        total: int,
        already: Iterable[tuple[str, bool]] = (),
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`already`: (family, success) of episodes that were there before; they count, but not for the rate."""
        self._total, self._stream, self._clock = total, stream or sys.stdout, clock
        self._outcomes: dict[str, list[bool]] = {}
        for family, success in already:
            self._outcomes.setdefault(family, []).append(success)
        self._before = self.done
        self._start = self._shown = clock()
        self._period = TERMINAL_PERIOD if self._stream.isatty() else LOG_PERIOD

    @property
    def done(self) -> int:
        """Episodes so far."""
        return sum(map(len, self._outcomes.values()))

    def add(self, family: str, success: bool) -> None:
        """One more episode."""
        self._outcomes.setdefault(family, []).append(success)
        if self._clock() - self._shown >= self._period or self.done >= self._total:
            self._show()

    def line(self) -> str:
        """The state in words."""
        spent, made = self._clock() - self._start, self.done - self._before
        rate = made / spent if spent > 0 else 0.0
        left = f"{(self._total - self.done) / rate / 60:.0f} min left" if rate > 0 else ""
        families = sorted(self._outcomes.items())
        success = ", ".join(f"{name} {100 * sum(each) / len(each):.0f} %" for name, each in families)
        return f"{self.done}/{self._total} episodes  {rate:.2f}/s  {left}  success: {success}"

    def _show(self) -> None:
        self._shown = self._clock()
        start, end = ("\r", "\x1b[K") if self._stream.isatty() else ("", "\n")
        self._stream.write(f"{start}{self.line()}{end}")
        self._stream.flush()

    def close(self) -> None:
        """Leave the last line standing."""
        if self.done > self._before and self._stream.isatty():
            self._show()
            self._stream.write("\n")
