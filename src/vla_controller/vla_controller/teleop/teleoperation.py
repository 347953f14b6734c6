# SPDX-License-Identifier: Apache-2.0
"""A person as owner of the arm: takes it by a deadman, leads the tool, gives it back."""

from __future__ import annotations

import math
from typing import Protocol

from vla_core.action import ActionChunk
from vla_core.robot import RobotConfig

from vla_controller.motion.arm_motion import ArmMotion
from vla_controller.refusals import Refusal, RefusalLog
from vla_controller.settings import ControllerSettings
from vla_controller.teleop.command import TeleopCommand, fault
from vla_controller.teleop.deadman import Deadman

_LATE = ("teleop_too_old", "teleop_from_future")  # left out; silence stops the arm if nothing better comes


class Arm(Protocol):
    """The rest of the controller, which decides whether anything may move."""

    def halt(self, reason: str) -> None:
        """Drop what is planned, whoever has the arm."""

    def stop(self, reason: str) -> None:
        """Halt; the policy needs a new instruction."""

    def hindrance(self, now: float) -> Refusal | None:
        """Return why nothing may move at ``now`` [s]."""


class Teleoperation:
    """At most one person has the arm; while one has, chunks, trajectories and the way home are refused.

    Letting go stops the arm as hard as its limits allow and gives it back to the policy. A device that falls silent or
    sends what is broken in itself stops everything: the policy needs a new instruction then.
    """

    def __init__(
        self, arm: Arm, motion: ArmMotion, config: RobotConfig, settings: ControllerSettings, log: RefusalLog
    ) -> None:
        """Nobody has the arm. What is refused is counted in ``log``."""
        self._arm, self._motion, self._frame, self._log = arm, motion, config.base_frame, log
        self._deadman = Deadman(settings)
        self._released = -math.inf  # [s] when the arm was last given back

    @property
    def device(self) -> str:
        """The device that has the arm; empty: none has."""
        return self._deadman.device

    @property
    def active(self) -> bool:
        """Whether a person has the arm, be it a stopped one."""
        return bool(self.device)

    def take(self, command: TeleopCommand, now: float) -> Refusal | None:
        """Obey a command at ``now`` [s], or count and return why not. An open deadman is always obeyed."""
        if not command.held:
            self._open(command.device, now)
            return None
        refusal = fault(command, self._frame) or self._deadman.refuse(command, now) or self._arm.hindrance(now)
        if refusal is None:
            self._obey(command, now)
            return None
        if refusal.name not in _LATE:
            if command.device == self.device and self._deadman.drives:
                self._arm.stop(f"{refusal.name}: {refusal.reason}")
            self._deadman.forget(command.device)
        return self._log.add(refusal)

    def tick(self, now: float) -> None:
        """Stop an arm whose device is silent; lead it again where the stop guard has stopped it."""
        silence = self._deadman.silence(now)
        if silence is not None:
            self._released = now
            self._arm.stop(f"{silence.name}: {self._log.add(silence).reason}")
        elif self._deadman.drives and self._motion.idle:
            self._motion.begin_jog(self._text)

    def halted(self) -> None:
        """The arm was halted: a person who has it moves nothing before the deadman was opened."""
        self._deadman.suspend()

    def refusal(self, chunk: ActionChunk | None = None) -> Refusal | None:
        """Return why another owner may not have the arm; or why ``chunk`` may not, by when it was observed."""
        if self.active:
            return Refusal("teleoperated", f"a person has the arm, by {self.device!r}")
        if chunk is not None and chunk.stamp < self._released:
            return Refusal("teleoperated", "the observation is from before the person let go of the arm")
        return None

    def clock_went_back(self, now: float) -> None:
        """Forget times that now lie in the future."""
        self._released = min(self._released, now)
        self._deadman.clock_went_back(now)

    @property
    def _text(self) -> str:
        return f"a person drives, by {self.device!r}"

    def _obey(self, command: TeleopCommand, now: float) -> None:
        if not self.active:
            self._arm.halt(f"{command.device!r} takes the arm")
            self._deadman.close(command, now)
            self._motion.begin_jog(self._text)
        self._deadman.close(command, now)
        self._motion.jog(command)

    def _open(self, device: str, now: float) -> None:
        if device and self._deadman.open(device):
            self._released = now
            self._arm.halt(f"{device!r} has let go of the arm")
