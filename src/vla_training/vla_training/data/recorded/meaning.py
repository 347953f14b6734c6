# SPDX-License-Identifier: Apache-2.0
"""What the features of a data set cannot tell, as words that a person says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vla_core.action import ActionMode
from vla_core.observation_map.observation_map import ActionFrame
from vla_core.observation_map.part import GripperSense, RotationForm, Unit

from vla_training.run.errors import TrainingError

MODES = tuple(mode.name.lower() for mode in ActionMode)
STATES = ("joints", "tool", "none")
ROTATIONS = tuple(form.value for form in RotationForm)
SENSES = tuple(sense.value for sense in GripperSense if sense is not GripperSense.RANGE)
FRAMES = tuple(frame.value for frame in ActionFrame)
UNITS = (Unit.RAD.value, Unit.DEG.value)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the features of a set cannot tell; empty where it was not said. state_*: where the state differs.

    action: mode; state: what its columns are; rotation, frame, gripper, unit: as in observation maps.
    """

    action: str = ""
    state: str = ""
    rotation: str = ""
    frame: str = ""
    gripper: str = ""
    unit: str = ""
    state_rotation: str = ""
    state_gripper: str = ""

    def needs(self, name: str, valid: Sequence[str], why: str) -> str:
        """Return what was said. Raises TrainingError that asks for it by the option's name."""
        value = str(getattr(self, name))
        if not value:
            option = f"--{name.replace('_', '-')}"
            raise TrainingError(f"{why}, which the set's features cannot tell; {option} says it: {', '.join(valid)}")
        return value
