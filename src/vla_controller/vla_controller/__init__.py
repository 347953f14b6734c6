# SPDX-License-Identifier: Apache-2.0
"""The controller: action chunks and trajectories in, jerk-limited setpoints inside the robot's limits out."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "arm_controller": ("ArmController",),
        "settings": ("ControllerSettings", "NodeSettings"),
        "refusals": ("Refusal", "RefusalLog"),
        "motion.setpoint": ("ControllerState", "Setpoint"),
        "arm.kinematics": ("Kinematics",),
        "trajectory.goal": ("ErrorCode", "GoalError", "TrajectoryGoal"),
    },
)
