# SPDX-License-Identifier: Apache-2.0
"""Whether anything may move at all, whatever is asked for: emergency stop, life cycle, operator, other commanders."""

from __future__ import annotations

import math

from vla_controller.refusals import Refusal


class Permission:
    """What forbids motion; each is set and taken back by whoever watches it."""

    def __init__(self) -> None:
        """Nothing forbids motion."""
        self.operator_gone: Refusal | None = None  # the operator's lease has ended
        self.reset()

    def reset(self) -> None:
        """Forget everything but the operator's lease, whose watch goes on."""
        self.estopped, self.engaged = False, True
        self.rival: Refusal | None = None  # somebody else commands the arm

    def refusal(self) -> Refusal | None:
        """Return why nothing may move; None where it may."""
        if self.estopped:
            return Refusal("estopped", "the emergency stop is latched; call the reset service")
        if not self.engaged:
            return Refusal("inactive", "the controller is inactive; activate controller_node")
        return self.operator_gone or self.rival


class ClockWatch:
    """Notices a clock that jumps between two ticks."""

    def __init__(self, most: float) -> None:
        """``most`` [s] that may pass between two ticks."""
        self._most, self._last = most, math.nan

    def look(self, now: float) -> tuple[Refusal | None, bool]:
        """Return why the tick at ``now`` [s] is not in order, and whether the clock went back."""
        last, self._last = self._last, now
        if not (now < last or now - last > self._most):
            return None, False
        return Refusal("clock_jump", f"the clock went from {last:.3f} to {now:.3f} s"), now < last
