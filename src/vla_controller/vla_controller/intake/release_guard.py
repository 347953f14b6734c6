# SPDX-License-Identifier: Apache-2.0
"""Chunks that wait for a second opinion (MoveIt's collision check) before they are released to the controller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vla_controller.arm.kinematics import Kinematics
from vla_controller.intake.targets import AcceptedChunk
from vla_controller.refusals import Refusal

Array = npt.NDArray[np.float64]

Ask = Callable[[int, Sequence[Array]], None]  # ticket and joint states, one answer is expected for each
MOST_STATES = 6


@dataclass(slots=True)
class _Waiting:
    chunk: AcceptedChunk
    deadline: float  # [s]
    missing: int
    verdict: Refusal | None = None


@dataclass(slots=True)
class ReleaseGuard:
    """Holds one chunk until all its states are answered for, or the time is over. A newer chunk takes its place.

    Silence refuses: the arm continues with what it has and then stops on its path, as when a chunk does not come.
    """

    budget: float  # [s] for the answers
    release: Callable[[AcceptedChunk], None]
    refuse: Callable[[Refusal], None]
    _ticket: int = 0
    _waiting: _Waiting | None = field(default=None)

    @property
    def waiting(self) -> bool:
        """Whether answers are still needed."""
        return self._waiting is not None

    def hold(self, chunk: AcceptedChunk, states: Sequence[Array], now: float, ask: Ask) -> None:
        """Ask for ``states`` of ``chunk`` at ``now`` [s]; without states it is released at once."""
        if self._waiting is not None:
            self._settle(Refusal("validity_superseded", "a newer chunk came before the collision check answered"))
        if not states:
            self.release(chunk)
            return
        self._ticket += 1
        self._waiting = _Waiting(chunk, now + self.budget, len(states))
        ask(self._ticket, states)

    def answer(self, ticket: int, valid: bool, account: str) -> None:
        """Take the answer for one state; one that comes too late counts for nothing."""
        waiting = self._waiting
        if waiting is None or ticket != self._ticket:
            return
        waiting.missing -= 1
        if not valid:
            self._settle(Refusal("in_collision", account))
        elif waiting.missing == 0:
            self._settle(None)

    def check(self, now: float) -> None:
        """Refuse the waiting chunk when its time is over at ``now`` [s]."""
        if self._waiting is not None and now > self._waiting.deadline:
            text = f"{self._waiting.missing} state(s) not answered for in {self.budget} s"
            self._settle(Refusal("validity_timeout", text))

    def _settle(self, refusal: Refusal | None) -> None:
        waiting, self._waiting = self._waiting, None
        if refusal is not None:
            self.refuse(refusal)
        elif waiting is not None:
            self.release(waiting.chunk)


def chunk_states(accepted: AcceptedChunk, kinematics: Kinematics) -> list[Array]:
    """Joints (n,) [rad] that the steps still to be done lead to, at most MOST_STATES of them."""
    indices = accepted.schedule.indices
    count = min(MOST_STATES, len(indices))
    chosen = [indices[k] for k in np.linspace(0, len(indices) - 1, count).round().astype(int)]
    if accepted.joints:
        return [accepted.joints[k] for k in chosen]
    states, seed = [], accepted.start
    for k in chosen:
        seed = kinematics.ik(seed, accepted.poses[k])[0]
        states.append(seed)
    return states
