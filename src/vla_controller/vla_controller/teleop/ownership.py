# SPDX-License-Identifier: Apache-2.0
"""Whom the arm obeys, as the status tells it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from vla_controller.arm_controller import ArmController


class Owner(IntEnum):
    """Values equal the constants of vla_msgs/ControllerStatus."""

    NONE = 0
    POLICY = 1
    TRAJECTORY = 2
    PERSON = 3


@dataclass(frozen=True, slots=True)
class Ownership:
    """The owner, a person's device, and whether the policy would have the arm otherwise."""

    owner: Owner
    device: str = ""
    intervention: bool = False


def ownership(controller: ArmController) -> Ownership:
    """Return who has the arm of ``controller`` now."""
    intake = controller.intake
    instructed = intake.instruction is not None and not intake.stopped
    if controller.teleop.active:
        return Ownership(Owner.PERSON, controller.teleop.device, instructed)
    if controller.trajectories.active:
        return Ownership(Owner.TRAJECTORY)
    return Ownership(Owner.POLICY if instructed else Owner.NONE)
