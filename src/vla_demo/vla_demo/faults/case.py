# SPDX-License-Identifier: Apache-2.0
"""A fault and what is promised in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

REST_S = 0.5  # [s] within which the arm is at rest where it must stop
HOLD_S = 1.5  # [s] for which a fault lasts


class Recovery(IntEnum):
    """What it takes to move again once the fault is over; the later ones include the earlier."""

    ITSELF = 0  # nothing
    INSTRUCTION = 1  # an instruction
    CONFIRM = 2  # ~/confirm_posture, then an instruction
    RESET = 3  # ~/reset_estop, then an instruction
    RESTART = 4  # the graph is started again


class Clock(IntEnum):
    """The clock of the graph in which a case runs."""

    WALL = 0
    SIMULATED = 1


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, where it strikes, and what is promised.

    `place` is an arrow of fault_node, "process NODE", "operator" or "machine". `rests`: the arm has to be at rest
    `within` [s] of the beginning and until the end; otherwise it may continue. `after_budget`: the time counts from
    when the step of the last observation is due, the latency budget after the beginning. Limits hold in any case:
    those of the setpoints always, those of the arm unless `arm` is false, where its commands are the fault. `said` is
    a regular expression that has to be found in a status, on /diagnostics or in the log. `recovery` is the most that it
    may take to move again.
    """

    place: str
    fault: str
    rests: bool = False
    within: float = REST_S
    after_budget: bool = False
    said: str = ""
    recovery: Recovery = Recovery.ITSELF
    magnitude: float = 0.0
    hold: float = HOLD_S
    clock: Clock = Clock.WALL
    arm: bool = True

    @property
    def name(self) -> str:
        """The place and the fault, with its magnitude where it is not the default."""
        return f"{self.place} {self.fault}" + (f" {self.magnitude:g}" if self.magnitude else "")
