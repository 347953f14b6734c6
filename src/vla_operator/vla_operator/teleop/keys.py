# SPDX-License-Identifier: Apache-2.0
"""Keys that are down, from the bytes of a terminal. Time is passed in.

A terminal sends a key once, after a pause again and again, and nothing when it is let go: a key counts as down for
`KEY_TIME` after each of these. Terminals with the kitty keyboard protocol (kitty, foot, WezTerm, Ghostty and others)
also tell when a key goes up; there a key counts as down until then, until the window is left, or until nothing was told
of any key for `QUIET_TIME`.
"""

from __future__ import annotations

import math
import re

KEY_TIME = 0.15  # [s] for which a key without a report of its release counts as down
QUIET_TIME = 0.75  # [s] in which a key that is held is repeated at least once, the pause before the first included
ASK = b"\x1b[?u"  # whether the terminal can report releases
ENABLE, DISABLE = b"\x1b[>11u", b"\x1b[<u"  # report presses, repeats and releases of every key; as before
WATCH, UNWATCH = b"\x1b[?1004h", b"\x1b[?1004l"  # report when the window is left
_SEQUENCE = re.compile(rb"\x1b\[(?P<private>[?<=>]?)(?P<numbers>[0-9:;]*)(?P<final>[@-~])|\x1bO(?P<single>[A-Z])")
_UNFINISHED = re.compile(rb"\x1b(\[[?<=>]?[0-9:;]*|O)?\Z")
_ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
_NAMES = {" ": "space", "\r": "enter", "\n": "enter", "\t": "tab", "\x1b": "escape", "\x7f": "backspace"}
_CTRL_C, _RELEASE = "\x03", 3


class Keys:
    """Decodes a terminal's input."""

    def __init__(self) -> None:
        """No key is down."""
        self._rest = b""
        self._until: dict[str, float] = {}  # key: [s] until when it counts as down
        self._told = -math.inf  # [s] when anything was told
        self.reports_releases = False  # the terminal has answered `ASK`: send it `ENABLE`
        self.interrupted = False  # Ctrl-C

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes that came at ``now`` [s]."""
        data, self._told = self._rest + data, now
        cut = _UNFINISHED.search(data)
        self._rest = data[cut.start() :] if cut and len(data) - cut.start() < 32 and data != b"\x1b" else b""
        data = data[: len(data) - len(self._rest)]
        position = 0
        for match in _SEQUENCE.finditer(data):
            self._plain(data[position : match.start()], now)
            self._sequence(match, now)
            position = match.end()
        self._plain(data[position:], now)

    def down(self, now: float) -> frozenset[str]:
        """Return the names of the keys that are down at ``now`` [s]."""
        if now - self._told > QUIET_TIME:
            self._until.clear()
        self._until = {key: until for key, until in self._until.items() if now < until}
        return frozenset(self._until)

    def _plain(self, data: bytes, now: float) -> None:
        for letter in data.decode("utf-8", errors="ignore"):
            if letter == _CTRL_C:
                self.interrupted = True
            elif letter in _NAMES or letter.isprintable():
                self._press(_NAMES.get(letter, letter.lower()), now + KEY_TIME)

    def _sequence(self, match: re.Match[bytes], now: float) -> None:
        final, private = match["final"] or match["single"], match["private"] or b""
        if private == b"?" and final == b"u":
            self.reports_releases = True
        elif private:
            return
        elif final == b"O" and not match["numbers"]:
            self._until.clear()
        elif final in _ARROWS:
            self._event(_ARROWS[final], (match["numbers"] or b"").decode(), now)
        elif final == b"u":
            code = re.match(r"[0-9]+", match["numbers"].decode())
            letter = chr(int(code[0])) if code and int(code[0]) < 0x110000 else ""
            if letter == "c" and _modifiers(match["numbers"].decode()) & 4:
                self.interrupted = True
            elif letter:
                self._event(_NAMES.get(letter, letter.lower()), match["numbers"].decode(), now)

    def _event(self, key: str, numbers: str, now: float) -> None:
        """One key of the kitty protocol: `code;modifiers:event`, event 1 press, 2 repeat, 3 release."""
        fields = numbers.split(";")
        parts = fields[1].split(":") if len(fields) > 1 else []
        if len(parts) > 1 and parts[1] == str(_RELEASE):
            self._until.pop(key, None)
        else:
            self._press(key, math.inf if self.reports_releases else now + KEY_TIME)

    def _press(self, key: str, until: float) -> None:
        self._until[key] = max(until, self._until.get(key, -math.inf))


def _modifiers(numbers: str) -> int:
    fields = numbers.split(";")
    text = fields[1].split(":")[0] if len(fields) > 1 else ""
    return int(text) - 1 if text.isdecimal() else 0
