# SPDX-License-Identifier: Apache-2.0
"""What speech_node tells of itself on /diagnostics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from vla_core.health import Health, Level

from vla_speech.heard import Heard, State
from vla_speech.settings import MICROPHONE
from vla_speech.sound import Samples, clipped, level_db

_SILENT = 2.0  # [s] without sound after which a microphone counts as silent
_LATELY = 10.0  # [s] for which a bad piece of sound is reported


@dataclass(slots=True)
class SpeechHealth:
    """Counts and times; `source` as in the settings."""

    source: str
    _last: float = -1e9  # [s] time of the latest sound
    _clipped: float = -1e9
    _reason: str = ""
    _level: float = -96.0
    _refusals: int = 0
    _counts: Counter[State] = field(default_factory=Counter)

    def note_sound(self, sound: Samples, now: float) -> None:
        """Take a piece of sound at the time `now` [s]."""
        self._last, self._level = now, level_db(sound)
        if clipped(sound):
            self._clipped = now

    def note_refused(self, reason: str) -> None:
        """Take that a piece of sound was invalid."""
        self._reason, self._refusals = reason, self._refusals + 1

    def note(self, heard: Heard) -> None:
        """Take a report."""
        self._counts[heard.state] += 1

    def report(self, now: float, trouble: str) -> Health:
        """Return the health at the time `now` [s]; `trouble` is that of the source."""
        values = {state.name.lower(): str(self._counts[state]) for state in State if state is not State.INTERIM}
        values |= {"level_db": f"{self._level:.0f}", "refused": str(self._refusals)}
        if trouble:
            return Health(Level.ERROR, "no_sound", trouble, values)
        if self._reason:
            reason, self._reason = self._reason, ""
            return Health(Level.WARN, "sound_refused", reason, values)
        if self.source == MICROPHONE and now - self._last > _SILENT:
            return Health(Level.ERROR, "no_sound", f"no sound from the microphone for over {_SILENT:g} s", values)
        if now - self._clipped < _LATELY:
            return Health(Level.WARN, "clipped", "the sound is clipped: turn the microphone down", values)
        return Health(Level.OK, "ok", f"hearing from {self.source}", values)
