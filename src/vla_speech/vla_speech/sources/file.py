# SPDX-License-Identifier: Apache-2.0
"""A WAV file as a source, at the speed at which it was recorded."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from vla_speech.sound import SAMPLE_RATE, Samples, read_sound
from vla_speech.sources.source import Hear, Source

_PIECE = 640  # [samples]
_SILENCE = 1.5  # [s] after the file, so that its last utterance ends


class FileSource(Source):
    """Plays a file once."""

    def __init__(self, path: Path, hear: Hear) -> None:
        """Read the file. Raises SoundError."""
        super().__init__(hear)
        silence = np.zeros(round(_SILENCE * SAMPLE_RATE), np.int16)
        self._sound: Samples = np.concatenate([read_sound(path), silence])

    def _listen(self) -> None:
        begin = time.monotonic()
        for start in range(0, len(self._sound), _PIECE):
            wait = begin + start / SAMPLE_RATE - time.monotonic()
            if self._closing.wait(max(wait, 0.0)):
                return
            self._hear(self._sound[start : start + _PIECE])
