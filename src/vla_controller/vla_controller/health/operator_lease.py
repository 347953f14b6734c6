# SPDX-License-Identifier: Apache-2.0
"""The lease of the instruction intake: while it lasts, somebody can say "stop". Real time is passed in."""

from __future__ import annotations

import math

from vla_controller.refusals import Refusal

LOST_AFTER = 0.5  # [s] an announced instruction may be on its way


class OperatorLease:
    """Renewed by every sign of life of the intake. A timeout of 0 needs no intake: the lease never ends."""

    def __init__(self, timeout: float) -> None:
        """``timeout`` [s] without a sign of life ends the lease; it has not begun before the first one."""
        self._timeout = timeout
        self._renewed = self._checked = -math.inf
        self._announced: tuple[int, float] | None = None  # sequence of the latest instruction, and since when

    @property
    def begun(self) -> bool:
        """Whether there has been a sign of life."""
        return self._renewed > -math.inf

    def renew(self, now: float) -> None:
        """Take note of a sign of life at ``now`` [s]."""
        self._renewed = now

    def announce(self, sequence: int, received: int, now: float) -> None:
        """Take note of the intake's latest instruction; ``received`` is the sequence of the latest that came here."""
        if self._announced is None or sequence <= received:  # the first: given before this node listened
            self._announced = (sequence, math.inf)
        elif sequence != self._announced[0]:
            self._announced = (sequence, now)
        self.renew(now)

    def lost(self, received: int, now: float) -> Refusal | None:
        """Return why the arm has to stop where an announced instruction has not come in time; once for each."""
        if self._timeout == 0.0 or self._announced is None or now - self._announced[1] <= LOST_AFTER:
            return None
        sequence = self._announced[0]
        self._announced = (sequence, math.inf)
        if sequence <= received:
            return None
        return Refusal(
            "instruction_lost", f"instruction {sequence} has not come; it may have been a stop: say it again"
        )

    def gone(self, now: float) -> Refusal | None:
        """Return why nothing may move at ``now`` [s], where the lease has ended; to be called at every tick."""
        pause, self._checked = now - self._checked, now
        if self._timeout == 0.0:
            return None
        if 0.5 * self._timeout < pause < math.inf:
            self._renewed += pause  # this process was held up itself: signs of life wait to be read
        silence = now - self._renewed
        if silence <= self._timeout:
            return None
        since = "yet" if math.isinf(silence) else f"for {silence:.1f} s; valid is at most {self._timeout:g} s"
        return Refusal(
            "operator_gone",
            f"no heartbeat of instruction_node {since}: nobody could say stop, a new instruction is needed",
        )
