# SPDX-License-Identifier: Apache-2.0
"""What comes of an utterance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from vla_speech.recognition.transcript import Recogniser


class State(IntEnum):
    """The values of vla_msgs/Utterance.STATE_*."""

    INTERIM = 0
    ACCEPTED = 1
    STOP = 2
    ASKED = 3
    REJECTED = 4
    IGNORED = 5


@dataclass(frozen=True, slots=True)
class Heard:
    """One report on an utterance; `end` is the stream time [s] at which its sound ended."""

    state: State
    text: str
    recogniser: Recogniser
    instruction: str = ""
    confidence: float = math.nan
    question: str = ""
    reason: str = ""
    utterance: int = 0
    duration: float = 0.0  # [s]
    end: float = 0.0  # [s]

    @property
    def published(self) -> str:
        """What goes out as a voice command; empty: nothing."""
        return self.instruction if self.state in (State.ACCEPTED, State.STOP) else ""
