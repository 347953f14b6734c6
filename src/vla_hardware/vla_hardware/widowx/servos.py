# SPDX-License-Identifier: Apache-2.0
"""The servos of a WidowX 250 S, as the maker's configuration has them, and the way from joints to their ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vla_hardware.widowx.table import CENTER, NO_SECONDARY, RAD_PER_TICK, REVERSE, TIME_PROFILE

HORN, ARM = 0.014, 0.024  # [m] of the gripper's linkage: radius of the servo's horn, length of the rod to a finger
GRIPPER = "gripper"
TOP_SPEED = 131  # [0.229 rev/min] Velocity Limit: 3.14 rad/s


@dataclass(frozen=True, slots=True)
class Servo:
    """One servo. `leader`: id of the servo that it shadows on the other side of the same joint; 0: none."""

    id: int
    joint: str
    model: int
    lower: int  # [ticks] stops of the joint
    upper: int
    is_reversed: bool = False
    leader: int = 0

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"servo {self.id} ({self.joint}{' shadow' if self.leader else ''})"

    @property
    def drive_mode(self) -> int:
        """Value of Drive Mode: direction, and profiles by time."""
        return TIME_PROFILE | (REVERSE if self.is_reversed else 0)

    @property
    def secondary_id(self) -> int:
        """Value of Secondary ID: a shadow also obeys what its leader is commanded."""
        return self.leader or NO_SECONDARY


WX250S = (
    Servo(1, "waist", 1020, 0, 4095),
    Servo(2, "shoulder", 1020, 819, 3345),
    Servo(3, "shoulder", 1020, 819, 3345, is_reversed=True, leader=2),
    Servo(4, "elbow", 1020, 648, 3094),
    Servo(5, "elbow", 1020, 648, 3094, is_reversed=True, leader=4),
    Servo(6, "forearm_roll", 1020, 0, 4095),
    Servo(7, "wrist_angle", 1020, 910, 3447, is_reversed=True),
    Servo(8, "wrist_rotate", 1060, 0, 4095),
    Servo(9, GRIPPER, 1060, 0, 4095),
)
SLEEP = {"waist": 0.0, "shoulder": -1.80, "elbow": 1.55, "forearm_roll": 0.0, "wrist_angle": 0.8, "wrist_rotate": 0.0}
CHAINS = {"wx250s": WX250S}  # by the name of the robot file


def to_ticks(angle: float) -> int:
    """Return the tick of `angle` [rad]."""
    return CENTER + round(angle / RAD_PER_TICK)


def to_radians(ticks: float) -> float:
    """Return the angle [rad] of `ticks`."""
    return (ticks - CENTER) * RAD_PER_TICK


def finger_to_angle(travel: float) -> float:
    """Return the angle [rad] of the gripper's servo that brings each finger `travel` [m] from the middle."""
    cosine = (HORN**2 + travel**2 - ARM**2) / (2.0 * HORN * travel)
    return math.pi / 2.0 - math.acos(max(-1.0, min(1.0, cosine)))


def angle_to_finger(angle: float) -> float:
    """Return how far [m] each finger is from the middle at `angle` [rad] of the gripper's servo."""
    along = HORN * math.sin(angle)
    return along + math.sqrt(ARM**2 - (HORN * math.cos(angle)) ** 2)
