# SPDX-License-Identifier: Apache-2.0
"""Names of a robot's joints and frame, as far as perception needs them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RobotJoints:
    """Names of a robot's joints and frame; empty: taken as they come."""

    joint_names: tuple[str, ...]  # the arm's, from base to wrist
    finger_joints: tuple[str, ...]  # one of a symmetric gripper, or all of them
    base_frame: str
