# SPDX-License-Identifier: Apache-2.0
"""Who has the latest instruction, as the receivers report it, and whether it has to be sent again."""

from __future__ import annotations

import math
from dataclasses import dataclass

FLIGHT = 0.2  # [s] after which a report cannot be from before the instruction came
INSIST = 5.0  # [s] during which an instruction is sent again to those who lack it; DDS may need 3 to connect them


@dataclass(slots=True)
class _Receiver:
    silence: float  # [s] without a report that means: it has started again
    heard: float = -math.inf  # [s]
    restarted: float = -math.inf  # [s]
    sequence: int = 0


class Confirmations:
    """Compares what was given with what the receivers report. Times are of a monotonic clock [s].

    DDS connects a writer with each of its readers by itself, and what is written before does not reach a reader without
    durability. So an instruction goes out again while a receiver reports an older one; never to one that has started
    again meanwhile, for which it would be a task from before its start.
    """

    def __init__(self, silences: dict[str, float]) -> None:
        """Expect reports of the receivers named; a longer pause than its silence [s] is a restart."""
        self._receivers = {name: _Receiver(silence) for name, silence in silences.items()}
        self._sequence, self._given = 0, -math.inf

    def give(self, sequence: int, now: float) -> None:
        """Take note of an instruction that was published."""
        self._sequence, self._given = sequence, now

    def report(self, name: str, sequence: int, now: float) -> None:
        """Take note of the highest sequence that a receiver has."""
        receiver = self._receivers[name]
        if math.inf > now - receiver.heard > receiver.silence or sequence < receiver.sequence:
            receiver.restarted = now
        receiver.heard, receiver.sequence = now, sequence

    def lacking(self, now: float) -> list[str]:
        """Return the receivers to whom the latest instruction has to be sent again."""
        if now - self._given > INSIST:
            return []
        return [
            name
            for name, receiver in self._receivers.items()
            if receiver.heard > self._given + FLIGHT
            and receiver.restarted <= self._given
            and receiver.sequence < self._sequence
        ]
