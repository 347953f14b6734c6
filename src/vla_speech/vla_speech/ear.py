# SPDX-License-Identifier: Apache-2.0
"""The ear: halt words and the bounds of utterances in a stream of sound. Quick: it serves every piece at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_speech.activity import FRAME, Activity, Edge, load_silero
from vla_speech.halt_word.spotter import HaltSpotter, read_weights
from vla_speech.settings import HearingSettings
from vla_speech.sound import SAMPLE_RATE, Samples

_BEFORE = 10  # [frames] of sound before speech is noticed that belong to the utterance
_REST = 1.5  # [s] after a halt word in which it is not reported again


@dataclass(frozen=True, slots=True)
class Begin:
    """An utterance begins."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the utterance."""

    sound: Samples


@dataclass(frozen=True, slots=True)
class End:
    """The utterance ends at the stream time `end` [s]; `halted` when the halt word was in it."""

    end: float
    addressed: bool
    halted: bool


@dataclass(frozen=True, slots=True)
class Halt:
    """The halt word, at the stream time `end` [s]."""

    end: float
    confidence: float


Sign = Begin | Piece | End | Halt


class Ear:
    """Listens to 16 kHz mono."""

    def __init__(self, activity: Activity, spotter: HaltSpotter, threshold: float) -> None:
        self._activity, self._spotter, self._threshold = activity, spotter, threshold
        self._rest = np.zeros(0, np.int16)
        self._before: list[Samples] = []
        self._samples = 0
        self._rests_until = 0.0
        self._open = self._pressed = self._halted = False

    @property
    def time(self) -> float:
        """Stream time [s]: what was judged so far."""
        return self._samples / SAMPLE_RATE

    def hear(self, sound: Samples, push_to_talk: bool = False) -> Iterator[Sign]:
        """Take a piece of any length and yield what it brings; `push_to_talk` while the talk button is held."""
        if push_to_talk != self._pressed:
            yield from self._press(push_to_talk)
        sound = np.concatenate([self._rest, sound])
        whole = len(sound) // FRAME * FRAME
        self._rest = sound[whole:]
        for start in range(0, whole, FRAME):
            yield from self._frame(sound[start : start + FRAME])

    def finish(self) -> Iterator[Sign]:
        """End the utterance that is open, if there is one, as the sound is over."""
        yield from self.hear(np.zeros(FRAME - len(self._rest), np.int16), self._pressed)
        if self._open:
            yield self._end()

    def _press(self, pressed: bool) -> Iterator[Sign]:
        if self._open:
            yield self._end()
        self._pressed = pressed
        if pressed:
            yield from self._begin()

    def _frame(self, frame: Samples) -> Iterator[Sign]:
        self._samples += len(frame)
        edge = self._activity.judge(frame)
        probability = self._spotter.hear(frame, awake=self._activity.last > 0.0)
        if probability >= self._threshold and self.time >= self._rests_until:
            self._rests_until, self._halted = self.time + _REST, True
            yield Halt(self.time, probability)
        if edge is Edge.BEGIN and not self._open:
            yield from self._begin()
        if self._open:
            yield Piece(frame)
        else:
            self._before = [*self._before[1 - _BEFORE :], frame]
        if edge is Edge.END and self._open and not self._pressed:
            yield self._end()

    def _begin(self) -> Iterator[Sign]:
        self._open = True
        self._halted = self.time < self._rests_until
        yield Begin()
        for frame in self._before:
            yield Piece(frame)
        self._before = []

    def _end(self) -> End:
        self._open = False
        return End(self.time, self._pressed, self._halted)


def new_ear(settings: HearingSettings) -> Ear:
    """Return an ear that has heard nothing yet. Raises MissingSpeechError, and SettingsError for invalid weights."""
    weights = read_weights(Path(settings.stop_weights)) if settings.stop_weights else None
    activity = Activity(load_silero(), settings.pause, settings.longest)
    return Ear(activity, HaltSpotter(weights=weights), settings.stop_threshold)
