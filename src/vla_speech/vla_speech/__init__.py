# SPDX-License-Identifier: Apache-2.0
"""Speech to instructions: voice activity, halt word, wake phrase, grammar, free text."""

from vla_speech.errors import MissingSpeechError, SoundError
from vla_speech.heard import Heard, State
from vla_speech.listener import Listener
from vla_speech.settings import HearingSettings, SpeechSettings
from vla_speech.sound import SAMPLE_RATE, Samples, read_sound

__all__ = [
    "SAMPLE_RATE",
    "Heard",
    "HearingSettings",
    "Listener",
    "MissingSpeechError",
    "Samples",
    "SoundError",
    "SpeechSettings",
    "State",
    "read_sound",
]
