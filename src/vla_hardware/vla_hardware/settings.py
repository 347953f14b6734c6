# SPDX-License-Identifier: Apache-2.0
"""Every parameter of franka_driver_node: its default, unit, range and meaning, in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from vla_core.settings import SettingsError, check_settings, setting

from vla_hardware.franka.arm import ArmOptions
from vla_hardware.franka.limits import FORCES, TORQUES

LENGTHS = {"collision_torques": 7, "collision_forces": 6, "payload_center": 3, "payload_inertia": 9}


@dataclass(frozen=True, slots=True)
class FrankaSettings:
    """Parameters of franka_driver_node; none changes while it runs."""

    robot_config: str = setting("fr3", "robot file: a name in config/robots, or a path")
    robot_ip: str = setting("", "address of the arm's control unit")
    wait: float = setting(0.0, "[s] for a control unit that does not answer yet", 0.0, 600.0)
    read_only: bool = setting(False, "connect and publish without ever commanding the arm or its hand")
    hand: bool = setting(True, "whether a Franka hand is mounted")
    rate: float = setting(100.0, "[Hz] of the joint states and of the velocities to the arm", 20.0, 200.0)
    realtime: str = setting(
        "auto",
        "enforce: refuse a kernel without PREEMPT_RT; ignore: take any; auto: enforce where there is one",
        choices=("auto", "enforce", "ignore"),
    )
    priority: bool = setting(True, "real-time priority for this process, where it may have it")
    position_gain: float = setting(3.0, "[1/s] velocity over the distance to the trajectory", 0.0, 10.0)
    lead: float = setting(0.015, "[s] until a velocity takes effect", 0.0, 0.2)
    tolerance: float = setting(
        0.1, "[rad] from the arm to a trajectory that may be joined; twice this holds", 0.01, 0.5
    )
    collision_torques: tuple[float, ...] = setting((), "[Nm] of joints 1 to 7 that are a collision; empty: the maker's")
    collision_forces: tuple[float, ...] = setting((), "[N], [Nm] at the hand, x y z and about them; empty: the maker's")
    payload_mass: float = setting(0.0, "[kg] carried beyond the hand", 0.0, 3.0)
    payload_center: tuple[float, ...] = setting(
        (), "[m] x y z of its centre of mass from the flange; empty: the flange"
    )
    payload_inertia: tuple[float, ...] = setting((), "[kg m^2] nine numbers, column by column; empty: a point")
    gripper_force: float = setting(20.0, "[N] of a grasp", 1.0, 70.0)
    gripper_speed: float = setting(0.0, "[m/s] of the width; 0: the robot file's", 0.0, 0.1)
    follow_arm_clock: bool = setting(False, "command faster where the arm's clock is slow: for a simulated arm alone")
    joint_states_topic: str = setting("joint_states", "sensor_msgs/JointState out")
    arm_command_topic: str = setting("", "trajectory_msgs/JointTrajectory in; empty: the robot's own")
    gripper_command_topic: str = setting("gripper_controller/joint_trajectory", "first finger's trajectory [m] in")

    def __post_init__(self) -> None:
        """Raise SettingsError for a value outside its range, or a list of another length."""
        check_settings(self)
        for name, length in LENGTHS.items():
            values = getattr(self, name)
            if len(values) not in (0, length) or not np.isfinite(values).all():
                raise SettingsError(f"parameter {name} is {list(values)}; valid: {length} finite numbers, or none")
        if any(value <= 0.0 for value in (*self.collision_torques, *self.collision_forces)):
            raise SettingsError("parameters collision_torques and collision_forces; valid: numbers above 0")

    @property
    def options(self) -> ArmOptions:
        """How the arm is set up."""
        return ArmOptions(
            address=self.robot_ip,
            read_only=self.read_only,
            wait=self.wait,
            realtime=self.realtime,
            torques=self.collision_torques or TORQUES,
            forces=self.collision_forces or FORCES,
            payload_mass=self.payload_mass,
            payload_center=self.payload_center or (0.0,) * 3,
            payload_inertia=self.payload_inertia or (0.0,) * 9,
        )
