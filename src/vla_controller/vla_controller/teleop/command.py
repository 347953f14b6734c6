# SPDX-License-Identifier: Apache-2.0
"""What a person commands through a device, and what makes a command acceptable in itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from vla_core.rotation import Pose, normalise

from vla_controller.intake.frames import combined, rotated
from vla_controller.refusals import Refusal

Array = npt.NDArray[np.float64]

TOOL_FRAME = "tool"  # axes of the tool centre point, for twists
_UNIT = 1e-2  # of a quaternion's length around 1


class Drive(IntEnum):
    """Values equal the constants of vla_msgs/TeleopCommand."""

    NONE = 0
    TWIST = 1
    POSE = 2


@dataclass(frozen=True, slots=True)
class TeleopCommand:
    """One message of a device; what ``drive`` does not name is not read."""

    stamp: float  # [s] when the device was read
    device: str
    held: bool  # the deadman is closed
    frame_id: str = ""
    drive: int = Drive.NONE
    linear: Array | None = None  # (3,) [m/s] of the tool centre point
    angular: Array | None = None  # (3,) [rad/s]
    pose: Pose | None = None  # of the tool centre point
    gripper: float = math.nan  # opening, 0 to 1; NaN leaves it


def in_base(command: TeleopCommand, base_frame: str, frame: Pose | None) -> TeleopCommand:
    """Return ``command`` in the base frame, in which its own frame has the pose ``frame``; None: it is not known.

    Commands along the tool's axes stay as they are. Values are not judged.
    """
    if frame is None or command.frame_id in (base_frame, TOOL_FRAME):
        return command
    turn = frame.quaternion
    return replace(
        command,
        frame_id=base_frame,
        linear=None if command.linear is None else rotated(turn, command.linear),
        angular=None if command.angular is None else rotated(turn, command.angular),
        pose=None if command.pose is None else combined(frame, command.pose),
    )


def fault(command: TeleopCommand, base_frame: str) -> Refusal | None:
    """Return what is wrong with a command of a held device, whenever it comes."""
    if not command.device or len(command.device) > 64:
        return Refusal("bad_device", f"device {command.device[:64]!r}; a name of 1 to 64 characters is needed")
    if not math.isfinite(command.stamp):
        return Refusal("non_finite", f"stamp of {command.device} is {command.stamp}")
    if command.drive not in tuple(Drive):
        valid = ", ".join(f"{drive.value} {drive.name}" for drive in Drive)
        return Refusal("bad_drive", f"drive {command.drive} of {command.device}; valid: {valid}")
    if not math.isnan(command.gripper) and not -1e-3 <= command.gripper <= 1.001:
        return Refusal("gripper_range", f"gripper is {command.gripper}; must be 0 to 1, or NaN to leave it")
    return None if command.drive == Drive.NONE else _frame(command, base_frame) or _numbers(command)


def _frame(command: TeleopCommand, base_frame: str) -> Refusal | None:
    valid = f"{base_frame!r}, joined to it on /tf_static"
    if command.drive == Drive.TWIST and command.frame_id != TOOL_FRAME:
        valid = f"{TOOL_FRAME!r}, {valid}"
    elif command.drive == Drive.TWIST:
        return None
    if command.frame_id != base_frame:
        return Refusal("wrong_frame", f"frame {command.frame_id!r} of {command.device}; valid: {valid}")
    return None


def _numbers(command: TeleopCommand) -> Refusal | None:
    pose = command.pose
    values = {"linear": command.linear, "angular": command.angular}
    if command.drive == Drive.POSE:
        values = {"position": None, "orientation": None}
        if pose is not None:
            values = {"position": pose.position, "orientation": pose.quaternion}
    for name, value in values.items():
        if value is None or not np.all(np.isfinite(value)):
            found = None if value is None else value.tolist()
            return Refusal("non_finite", f"{name} of {command.device} is {found}; finite numbers are needed")
        if name == "orientation" and not abs(math.sqrt(float(value @ value)) - 1.0) <= _UNIT:
            return Refusal("bad_quaternion", f"{name} of {command.device} is {value.tolist()}; its norm must be 1")
    return None


def target(command: TeleopCommand) -> Pose | None:
    """Return the pose that a command leads to, its quaternion of unit length; None for a velocity."""
    if command.drive != Drive.POSE or command.pose is None:
        return None
    return Pose(command.pose.position, normalise(command.pose.quaternion))
