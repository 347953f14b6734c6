# SPDX-License-Identifier: Apache-2.0
"""PocketSphinx with a grammar: interim text while one speaks, then the best sentence and how well it fits."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from vla_core.settings import SettingsError

from vla_speech.errors import missing
from vla_speech.recognition.automaton import Automaton
from vla_speech.recognition.grammar import Grammar
from vla_speech.recognition.transcript import Recogniser, Transcript
from vla_speech.sound import SAMPLE_RATE, Samples

_FRAME_RATE = 100.0  # [Hz] of the acoustic model
_DITHER = 4.0  # deviation, of int16
_EVEN = 0.0006  # log-likelihood ratio per frame, grammar to free phones, at which the confidence is 0.5
_SLOPE = 0.0003  # ... and over which it changes by a factor of e


class GrammarRecogniser:
    """Recognises sentences of a grammar, in English.

    A second decoder without any grammar hears the same phones. Where the best sentence explains the sound much worse
    than free phones do, the grammar does not fit, and the confidence is low.
    """

    def __init__(self, grammar: Grammar) -> None:
        """Load the models. Raises MissingSpeechError; SettingsError for words that the dictionary lacks."""
        try:
            import pocketsphinx
        except ImportError as error:
            raise missing("pocketsphinx", "speech") from error
        pocketsphinx.set_loglevel("FATAL")
        folder = Path(pocketsphinx.get_model_path("en-us"))
        model = {
            "hmm": str(folder / "en-us"),
            "dict": str(folder / "cmudict-en-us.dict"),
            "lm": None,
            "loglevel": "FATAL",
        }
        self._decoder = pocketsphinx.Decoder(**model)
        unknown = sorted(word for word in grammar.words if self._decoder.lookup_word(word) is None)
        if unknown:
            raise SettingsError(f"grammar: the English dictionary lacks {', '.join(unknown)}; use other words")
        self._decoder.add_fsg("robot", self._decoder.create_fsg("robot", 0, *_network(grammar.automaton)))
        self._decoder.activate_search("robot")
        self._phones = pocketsphinx.Decoder(**model, allphone=str(folder / "en-us-phone.lm.bin"))
        self._automaton = grammar.automaton
        self._open = False

    def begin(self) -> None:
        """Begin an utterance, for interim text."""
        self.cancel()
        self._decoder.start_utt()
        self._open = True

    def add(self, sound: Samples) -> str:
        """Take a piece of the utterance and return its text so far."""
        self._decoder.process_raw(sound.tobytes())
        hypothesis = self._decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""

    def cancel(self) -> None:
        """End the utterance that was begun."""
        if self._open:
            self._decoder.end_utt()
            self._open = False

    def recognise(self, sound: Samples) -> Transcript:
        """Return the sentence of the grammar that is nearest to a whole sound."""
        self.cancel()
        sound = _dithered(sound)
        best, free = _decode(self._decoder, sound), _decode(self._phones, sound)
        if best is None or free is None or not self._automaton.accepts(best[0].split()):  # cut off, or no sentence
            return Transcript("", 0.0, Recogniser.GRAMMAR)
        frames = max(len(sound) / SAMPLE_RATE * _FRAME_RATE, 1.0)
        return Transcript(best[0], confidence((best[1] - free[1]) / frames), Recogniser.GRAMMAR)


def confidence(ratio: float) -> float:
    """Return the confidence (0 to 1) for a log-likelihood ratio per frame of the grammar to free phones."""
    return 1.0 / (1.0 + math.exp(-max(min((ratio - _EVEN) / _SLOPE, 50.0), -50.0)))


def _dithered(sound: Samples) -> Samples:
    """Return the sound with a little noise: exact zeros, which no microphone sends, upset the decoder's energies."""
    noise = np.random.default_rng(0).normal(0.0, _DITHER, len(sound))
    return np.clip(sound + noise, -32768, 32767).astype(np.int16)


def _network(automaton: Automaton) -> tuple[int, list[tuple[int | float | str, ...]]]:
    """Return the one final state and the transitions (from, to, probability, word) of PocketSphinx's network."""
    final = len(automaton.transitions)
    words: list[tuple[int | float | str, ...]] = [
        (state, target, 1.0, word) for state, row in enumerate(automaton.transitions) for word, target in row.items()
    ]
    return final, [*words, *((state, final, 1.0) for state in automaton.accepting)]


def _decode(decoder: Any, sound: Samples) -> tuple[str, float] | None:
    """Return the text and its log-likelihood."""
    decoder.start_utt()
    decoder.process_raw(sound.tobytes(), full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    if hypothesis is None:
        return None
    return hypothesis.hypstr, math.log(max(hypothesis.best_score, 1e-300))
