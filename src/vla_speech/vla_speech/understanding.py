# SPDX-License-Identifier: Apache-2.0
"""Utterances to text and meaning: the grammar first, free text for what does not fit it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from vla_operator.words import with_site_words

from vla_speech.errors import MissingSpeechError
from vla_speech.heard import Heard, State
from vla_speech.judgement import Judge
from vla_speech.recognition.grammar import Grammar, load_grammar, spoken_words
from vla_speech.recognition.pocketsphinx import GrammarRecogniser
from vla_speech.recognition.transcript import FreeText, Recogniser, Transcript
from vla_speech.recognition.whisper import WhisperRecogniser
from vla_speech.settings import HearingSettings
from vla_speech.sound import SAMPLE_RATE, Samples
from vla_speech.wake import split_wake

_AGREED = 0.95  # confidence of a sentence on which both recognisers agree


class Understanding:
    """Takes utterances piece by piece. Slow at their end: it belongs into a thread of its own."""

    def __init__(self, settings: HearingSettings) -> None:
        """Load the recognisers. Raises MissingSpeechError; SettingsError for an invalid grammar or list of words."""
        self._grammar = load_grammar(settings.grammar, settings.wake_phrase)
        self._speech = GrammarRecogniser(self._grammar)
        self._free = _free_text(settings, self._grammar)
        self._settings = settings
        self.judge = Judge(self._grammar, settings, with_site_words(settings.halt_words))
        self._pieces: list[Samples] = []
        self._text = ""

    @property
    def hears_free_text(self) -> bool:
        """Whether Whisper is there for what does not fit the grammar."""
        return self._free is not None

    def begin(self) -> None:
        """Begin an utterance."""
        self._pieces, self._text = [], ""
        self._speech.begin()

    def add(self, sound: Samples) -> Heard | None:
        """Take a piece of the utterance; return the interim text where it changed."""
        self._pieces.append(sound)
        text = self._speech.add(sound)
        if text == self._text or not text:
            return None
        self._text = text
        return Heard(State.INTERIM, text, Recogniser.GRAMMAR)

    def cancel(self) -> None:
        """Drop the utterance."""
        self._pieces = []
        self._speech.cancel()

    def end(self, addressed: bool, end: float) -> Heard:
        """Return what the utterance means; its sound ended at the stream time `end` [s]."""
        sound = np.concatenate([*self._pieces, np.zeros(0, np.int16)])
        self._pieces = []
        duration = len(sound) / SAMPLE_RATE
        start = end - duration
        expected = addressed or self.judge.expects(start)
        transcript = self._recognise(sound, expected)
        return replace(self.judge.judge(transcript, addressed, start, end), duration=duration)

    def _recognise(self, sound: Samples, addressed: bool) -> Transcript:
        fitted = self._speech.recognise(sound)
        if self._free is None or fitted.confidence >= self._settings.sure:
            return fitted
        if not addressed and not split_wake(fitted.text, self._settings.wake_phrase)[0]:
            return fitted  # not for the robot: free text would cost half a second of a core
        free = self._free.recognise(sound)
        fits = self._grammar.fit(split_wake(free.text, self._settings.wake_phrase)[1])
        if not free.text:
            return fitted
        if fits and spoken_words(free.text) == spoken_words(fitted.text):
            return replace(free, confidence=max(free.confidence, _AGREED))
        # Chance seldom makes a sentence of the grammar out of another one.
        return replace(free, confidence=1.0 - (1.0 - free.confidence) / 2.0) if fits else free


def _free_text(settings: HearingSettings, grammar: Grammar) -> FreeText | None:
    """Return Whisper; None where the settings do not want it, or it is not installed and need not be."""
    if settings.recogniser == "grammar":
        return None
    try:
        return WhisperRecogniser(grammar)
    except MissingSpeechError:
        if settings.recogniser == "whisper":
            raise
        return None
