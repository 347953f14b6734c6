# SPDX-License-Identifier: Apache-2.0
"""What a recogniser makes of a sound."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from vla_speech.sound import Samples


class Recogniser(IntEnum):
    """The values of vla_msgs/Utterance.RECOGNISER_*."""

    STOP = 0
    GRAMMAR = 1
    WHISPER = 2


@dataclass(frozen=True, slots=True)
class Transcript:
    """Text of a sound; `confidence` (0 to 1) that it is what was said; empty text: nothing recognised."""

    text: str
    confidence: float
    recogniser: Recogniser


class FreeText(Protocol):
    """A recogniser of whole sounds that needs no grammar."""

    def recognise(self, sound: Samples) -> Transcript:
        """Return the text of `sound`."""
        ...
