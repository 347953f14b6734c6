# SPDX-License-Identifier: Apache-2.0
"""Which device has the arm, and for how long: the deadman. Time is passed in."""

from __future__ import annotations

import math

from vla_controller.refusals import Refusal
from vla_controller.settings import ControllerSettings
from vla_controller.teleop.command import TeleopCommand

_MOST_DEVICES = 16  # that are remembered; the one seen open longest ago is forgotten first


class Deadman:
    """One device at a time has the arm, from when its deadman is closed until that opens or the device is silent.

    A deadman counts as closed only after it was seen open: what is held down at the start, or through a stop, moves
    nothing.
    """

    def __init__(self, settings: ControllerSettings) -> None:
        """No device is known."""
        self._timeout, self._lead = settings.teleop_timeout, settings.max_chunk_lead
        self._open: dict[str, None] = {}  # devices whose deadman was seen open and that may close it
        self._heard = -math.inf  # [s] stamp of the latest command of the device that has the arm
        self._suspended = False
        self.device = ""  # that has the arm; empty: none has

    @property
    def drives(self) -> bool:
        """Whether a device has the arm and may move it."""
        return bool(self.device) and not self._suspended

    def open(self, device: str) -> bool:
        """Take note that a deadman is open; return whether the device had the arm."""
        had = device == self.device
        if had:
            self.device = ""
        self._open.pop(device, None)
        self._open[device] = None
        while len(self._open) > _MOST_DEVICES:
            del self._open[next(iter(self._open))]
        return had

    def refuse(self, command: TeleopCommand, now: float) -> Refusal | None:
        """Return why a command of a closed deadman does not count at ``now`` [s]."""
        name, age = command.device, now - command.stamp
        if self.device not in ("", name):
            return Refusal("other_device", f"{self.device!r} has the arm; {name!r} has to wait until it is let go")
        if age > self._timeout:
            return Refusal("teleop_too_old", f"command of {name!r} is {age:.3f} s old; at most {self._timeout} s")
        if -age > self._lead:
            return Refusal("teleop_from_future", f"stamp of {name!r} is {-age:.3f} s ahead; at most {self._lead} s")
        if self.device and self._suspended:
            self._hear(command, now)
            return Refusal("deadman_closed", f"the arm was stopped; open the deadman of {name!r}, then close it")
        if not self.device and name not in self._open:
            return Refusal("deadman_closed", f"the deadman of {name!r} was closed before it could count; open it first")
        return None

    def close(self, command: TeleopCommand, now: float) -> None:
        """The device has the arm, or keeps it, by a command of ``now`` [s] that was not refused."""
        if not self.device:
            self.device, self._heard, self._suspended = command.device, -math.inf, False
            self.forget(command.device)
        self._hear(command, now)

    def suspend(self) -> None:
        """The arm was stopped: the device that has it keeps it, and moves nothing, until its deadman opens."""
        self._suspended = True

    def forget(self, device: str) -> None:
        """Let ``device`` close its deadman only after it was seen open again."""
        self._open.pop(device, None)

    def silence(self, now: float) -> Refusal | None:
        """Return why nobody has the arm any more at ``now`` [s], once: the device that had it is silent."""
        name, silent = self.device, now - self._heard
        if not name or silent <= self._timeout + 1e-6:
            return None
        self.device = ""
        return Refusal("teleop_silent", f"no command of {name!r} for {silent:.3f} s; at most {self._timeout} s")

    def clock_went_back(self, now: float) -> None:
        """Forget a stamp that now lies in the future."""
        self._heard = min(self._heard, now)

    def _hear(self, command: TeleopCommand, now: float) -> None:
        self._heard = max(self._heard, min(command.stamp, now))
