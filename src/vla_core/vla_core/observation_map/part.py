# SPDX-License-Identifier: Apache-2.0
"""Parts of a vector: consecutive columns of a state or of an action, with unit, form, sense and normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vla_core.observation_map.errors import ObservationMapError

FloatArray = NDArray[np.float64]
BASE_AXES = ("x", "y", "yaw")  # forward [m/s], left [m/s], turning [rad/s]


class PartKind(Enum):
    """What the columns are."""

    JOINTS = "joints"
    TOOL_POSITION = "tool_position"  # [m] in the robot's base frame
    TOOL_ROTATION = "tool_rotation"  # in the robot's base frame
    TRANSLATION = "translation"  # [m] of a delta; of mode ee_pose the position
    ROTATION = "rotation"  # of a delta; of mode ee_pose the orientation
    GRIPPER = "gripper"
    BASE = "base"  # velocity of a mobile base in its own frame
    TERMINATE = "terminate"  # above `threshold`: the task is finished
    IGNORED = "ignored"  # of an action
    CONSTANTS = "constants"  # of a state: padding


class Unit(Enum):
    """Of joints: radians, degrees, or numbers from `range`, which is reached at the robot's limits."""

    RAD = "rad"
    DEG = "deg"
    NORMALISED = "normalised"


class RotationForm(Enum):
    """Numbers of a rotation R; `rpy`: R = Rz(yaw) Ry(pitch) Rx(roll); `rotation_6d`: its first two columns."""

    ROTATION_VECTOR = "rotation_vector"
    RPY = "rpy"
    QUATERNION_XYZW = "quaternion_xyzw"
    QUATERNION_WXYZ = "quaternion_wxyz"
    ROTATION_6D = "rotation_6d"
    ROTATION_6D_ROWS = "rotation_6d_rows"  # the first two rows


class GripperSense(Enum):
    """What the gripper's numbers are at closed and at open."""

    OPEN_1 = "open_1"  # 0 closed, 1 open
    CLOSED_1 = "closed_1"  # 1 closed, 0 open
    SIGNED_OPEN = "signed_open"  # -1 closed, 1 open
    SIGNED_CLOSE = "signed_close"  # 1 closed, -1 open
    WIDTH = "width"  # [m] between the finger pads
    FINGERS = "fingers"  # [m] travel of each of two fingers
    FINGERS_MIRRORED = "fingers_mirrored"  # the same, the second negative
    RANGE = "range"  # the numbers of `range`: at closed, at open


ROTATION_WIDTH: Mapping[RotationForm, int] = {
    RotationForm.ROTATION_VECTOR: 3,
    RotationForm.RPY: 3,
    RotationForm.QUATERNION_XYZW: 4,
    RotationForm.QUATERNION_WXYZ: 4,
    RotationForm.ROTATION_6D: 6,
    RotationForm.ROTATION_6D_ROWS: 6,
}
GRIPPER_WIDTH: Mapping[GripperSense, int] = {
    sense: 2 if sense in (GripperSense.FINGERS, GripperSense.FINGERS_MIRRORED) else 1 for sense in GripperSense
}
STATE_KINDS = (
    PartKind.JOINTS,
    PartKind.TOOL_POSITION,
    PartKind.TOOL_ROTATION,
    PartKind.GRIPPER,
    PartKind.CONSTANTS,
)
ACTION_KINDS = (
    PartKind.JOINTS,
    PartKind.TRANSLATION,
    PartKind.ROTATION,
    PartKind.GRIPPER,
    PartKind.BASE,
    PartKind.TERMINATE,
    PartKind.IGNORED,
)
KEYS: Mapping[PartKind, tuple[str, ...]] = {
    PartKind.JOINTS: ("names", "unit", "range", "normalisation"),
    PartKind.TOOL_POSITION: ("normalisation",),
    PartKind.TOOL_ROTATION: ("form", "normalisation"),
    PartKind.TRANSLATION: ("normalisation",),
    PartKind.ROTATION: ("form", "normalisation"),
    PartKind.GRIPPER: ("sense", "range", "binary", "normalisation"),
    PartKind.BASE: ("names", "normalisation"),
    PartKind.TERMINATE: ("threshold",),
    PartKind.IGNORED: ("size",),
    PartKind.CONSTANTS: ("values",),
}
"""Keys that each kind takes besides `part` and `key`."""

GROUPS = (("scale",), ("low", "high"), ("q01", "q99"), ("mean", "std"))


@dataclass(frozen=True, slots=True)
class Normalisation:
    """From the policy's numbers to physical ones: physical = offset + gain * number.

    Exactly one group is given, each with one number for all columns or one a column: `scale`; `low` and `high`, or
    `q01` and `q99`, reached at -1 and 1; `mean` and `std`.
    """

    scale: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    q01: tuple[float, ...] = ()
    q99: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Raise ObservationMapError unless one group is complete and can be inverted."""
        given = tuple(item.name for item in fields(self) if getattr(self, item.name))
        if given not in GROUPS:
            valid = "; ".join(" and ".join(group) for group in GROUPS)
            raise ObservationMapError(f"normalisation has {', '.join(given) or 'no keys'}; valid is one of: {valid}")
        if len({len(getattr(self, name)) for name in given} - {1}) > 1:
            raise ObservationMapError(f"normalisation: {' and '.join(given)} differ in length")
        if not np.all(np.abs(self.gain) > 0.0):
            raise ObservationMapError(f"normalisation: {', '.join(given)} span nothing; valid is a range above 0")

    @property
    def gain(self) -> FloatArray:
        """Physical units per number (n,) or (1,)."""
        if self.scale or self.std:
            return np.array(self.scale or self.std)
        return np.asarray(0.5 * (np.array(self.high or self.q99) - np.array(self.low or self.q01)))

    @property
    def offset(self) -> FloatArray:
        """Physical value of 0, (n,) or (1,)."""
        if self.scale:
            return np.zeros(1)
        if self.mean:
            return np.array(self.mean)
        return np.asarray(0.5 * (np.array(self.high or self.q99) + np.array(self.low or self.q01)))


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive columns. Which keys a kind takes is in KEYS.

    key: the array that holds them, of a server that answers in several; names: of joints, empty for all of the arm, or
    of the base's axes; range: joints normalised: at the lower and the upper limit; gripper of sense range: closed and
    open; binary: the gripper is driven fully open or closed; size: number of ignored columns; values: constants.
    """

    part: PartKind
    key: str = ""
    names: tuple[str, ...] = ()
    unit: Unit = Unit.RAD
    range: tuple[float, ...] = ()
    form: RotationForm = RotationForm.ROTATION_VECTOR
    sense: GripperSense = GripperSense.OPEN_1
    binary: bool = False
    threshold: float = 0.5
    size: int = 1
    values: tuple[float, ...] = ()
    normalisation: Normalisation | None = None

    def __post_init__(self) -> None:
        """Raise ObservationMapError for a key that the kind does not take, or a value out of its range."""
        defaults = {item.name: item.default for item in fields(self)}
        valid = ("part", "key", *KEYS[self.part])
        for name, default in defaults.items():
            if name not in valid and getattr(self, name) != default:
                raise ObservationMapError(f"part {self.part.value} has key {name}; valid keys are {', '.join(valid)}")
        if len(set(self.names)) != len(self.names):
            raise ObservationMapError(f"names repeat: {', '.join(self.names)}")
        self._check_range()
        if self.part is PartKind.BASE and not set(self.names) <= set(BASE_AXES):
            raise ObservationMapError(f"names are {list(self.names)}; valid for base are {', '.join(BASE_AXES)}")
        if self.part is PartKind.CONSTANTS and not self.values:
            raise ObservationMapError("values is empty; valid for constants is at least one number")
        if self.size < 1:
            raise ObservationMapError(f"size is {self.size}; valid is 1 or more")
        self._check_normalisation()

    def _check_range(self) -> None:
        wanted = self.sense is GripperSense.RANGE
        optional = self.part is PartKind.JOINTS and self.unit is Unit.NORMALISED
        if (wanted and not self.range) or (self.range and not (wanted or optional)):
            raise ObservationMapError(
                f"range is {list(self.range)}; it goes with sense range (gripper) and with unit normalised (joints)"
            )
        if self.range and (len(self.range) != 2 or self.range[0] == self.range[1]):
            raise ObservationMapError(f"range is {list(self.range)}; valid are two different numbers")

    def _check_normalisation(self) -> None:
        if self.normalisation is None or (self.part is PartKind.JOINTS and not self.names):
            return
        given = max(len(self.normalisation.gain), len(self.normalisation.offset))
        if given not in (1, self.width):
            raise ObservationMapError(
                f"normalisation has {given} numbers; valid for {self.part.value} is 1 or {self.width}"
            )

    @property
    def width(self) -> int:
        """Number of columns; 0 for all joints of a robot that is not known yet."""
        match self.part:
            case PartKind.JOINTS:
                return len(self.names)
            case PartKind.TOOL_ROTATION | PartKind.ROTATION:
                return ROTATION_WIDTH[self.form]
            case PartKind.GRIPPER:
                return GRIPPER_WIDTH[self.sense]
            case PartKind.BASE:
                return len(self.names) or len(BASE_AXES)
            case PartKind.TERMINATE:
                return 1
            case PartKind.IGNORED:
                return self.size
            case PartKind.CONSTANTS:
                return len(self.values)
            case _:
                return 3
