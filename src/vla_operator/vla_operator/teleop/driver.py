# SPDX-License-Identifier: Apache-2.0
"""From readings of a device to what the arm is to do: deadman, speed, frame and gripper between the readings."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_operator.teleop.mapping import Mapping
from vla_operator.teleop.reading import Reading

Array = npt.NDArray[np.float64]

_LEAST_SPEED, _SPEED_STEP = 0.05, 1.25  # share of the top speeds; factor of one step
_ALMOST_OPEN = 0.5  # opening from which the next press closes the gripper


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants of the arm now."""

    held: bool
    linear: Array  # (3,) [m/s] along the axes of the frame
    angular: Array  # (3,) [rad/s] about them
    frame: str  # base, tool
    gripper: float = math.nan  # opening, 0 to 1; NaN leaves it

    @property
    def moves(self) -> bool:
        """Whether the tool is to move."""
        return self.held and bool(np.any(self.linear) or np.any(self.angular))


class Driver:
    """Applies a mapping to readings. Actions happen when their button goes down."""

    def __init__(self, mapping: Mapping, linear_speed: float, angular_speed: float, speed: float = 0.5) -> None:
        """``linear_speed`` [m/s] and ``angular_speed`` [rad/s] belong to ``speed`` 1."""
        self._mapping = mapping
        self._tops = np.repeat((linear_speed, angular_speed), 3)
        self._before: frozenset[str] | None = None  # what was down at the last reading
        self.speed = speed  # share of the top speeds
        self.frame = mapping.frame  # base, tool
        self.gripper = math.nan  # opening that the person wants, 0 to 1; NaN before the first
        self.taken = False  # by the toggle
        self.quit = False

    def read(self, reading: Reading, gripper: float = math.nan) -> Wish:
        """Return what ``reading`` asks for. ``gripper``: opening that the arm was commanded last, NaN if none was."""
        mapping, down = self._mapping, self._down(reading)
        new = down - (down if self._before is None else self._before)  # what is down from the start counts for nothing
        self._before = down
        if "toggle" in new:
            self.taken = not self.taken
        held = self.taken if mapping.hold is None else "hold" in down
        self._act(new, held, gripper)
        velocity = self.speed * self._tops * np.array(mapping.deflections(reading))
        if not held:
            self.gripper = math.nan
            velocity = np.zeros(6)
        return Wish(held, velocity[:3], velocity[3:], self.frame, self.gripper)

    def let_go(self) -> None:
        """Open the deadman, where it is a toggle."""
        self.taken = False

    def _down(self, reading: Reading) -> frozenset[str]:
        mapping = self._mapping
        sources = {**mapping.actions, "hold": mapping.hold, "toggle": mapping.toggle}
        return frozenset(name for name, source in sources.items() if source is not None and source.down(reading))

    def _act(self, new: frozenset[str], held: bool, gripper: float) -> None:
        if "faster" in new:
            self.speed = min(1.0, self.speed * _SPEED_STEP)
        if "slower" in new:
            self.speed = max(_LEAST_SPEED, self.speed / _SPEED_STEP)
        if "frame" in new:
            self.frame = "tool" if self.frame == "base" else "base"
        if "gripper" in new and held:
            present = gripper if math.isnan(self.gripper) else self.gripper
            self.gripper = 1.0 if present < _ALMOST_OPEN else 0.0  # not known: it is open, and closes
        self.quit = self.quit or "quit" in new
