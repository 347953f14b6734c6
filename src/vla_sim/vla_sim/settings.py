# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the simulator node: its default, unit, range and meaning, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from vla_core.settings import SettingsError, check_settings, setting


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the simulator node. Only those marked live may change while it runs."""

    robot: str = setting("fr3", "simulated robot: fr3 or wx250s")
    seed: int = setting(0, "of the table that is laid out at start", 0, 2**31 - 1)
    task: str = setting("", "instruction to lay the table for and to judge from the start; empty: any table, no task")
    variation: str = setting("", "how tables differ, drawn for each task: words of `vla eval --vary`; empty: not")
    camera_rate: float = setting(10.0, "[Hz] of the front camera; 0 turns it off", 0.0, 60.0)
    wrist_camera_rate: float = setting(0.0, "[Hz] of the wrist camera; 0: see wrist_view", 0.0, 60.0)
    wrist_view: bool = setting(False, "the wrist camera runs, at camera_rate where wrist_camera_rate is 0")
    viewer_camera_rate: float = setting(0.0, "[Hz] of the outside camera, for people; 0: off", 0.0, 30.0, live=True)
    camera_height: int = setting(256, "[pixels] of the front and wrist cameras", 16, 1024)
    camera_width: int = setting(320, "[pixels] of the front and wrist cameras", 16, 1280)
    viewer_camera_height: int = setting(460, "[pixels] of the outside camera", 16, 1024)
    viewer_camera_width: int = setting(640, "[pixels] of the outside camera", 16, 1280)
    camera_delay: float = setting(0.0, "[s] images are published that much after capture", 0.0, 5.0, live=True)
    action_delay: float = setting(0.0, "[s] commands take effect that much after arrival", 0.0, 5.0, live=True)
    sim_time: bool = setting(False, "publish /clock and stamp with simulated time; false: the wall clock")
    real_time_factor: float = setting(1.0, "simulated seconds per wall second; needs sim_time", 0.05, 20.0, live=True)
    step_size: float = setting(0.05, "[s] simulated by one call of ~/step", 0.002, 10.0, live=True)
    joint_states_topic: str = setting("joint_states", "sensor_msgs/JointState out, 100 Hz")
    camera: str = setting("camera", "namespace of the front camera's image_raw and camera_info")
    wrist_camera: str = setting("camera/wrist", "namespace of the wrist camera's image_raw and camera_info")
    viewer_camera: str = setting("camera/viewer", "namespace of the outside camera's image_raw and camera_info")
    arm_command_topic: str = setting("", "trajectory_msgs/JointTrajectory in; empty: the robot's own")
    arm_from: str = setting("", "sensor_msgs/JointState that moves the arm and the fingers; empty: commands do")
    hand_feedback: str = setting("", "with arm_from: address of franka_sim, whose hand is to meet the blocks too")
    gripper_command_topic: str = setting("gripper_controller/joint_trajectory", "first finger's trajectory [m] in")

    @property
    def wrist_rate(self) -> float:
        """Rate of the wrist camera [Hz]; 0: it is off."""
        return self.wrist_camera_rate or (self.camera_rate if self.wrist_view else 0.0)

    def __post_init__(self) -> None:
        """Raise SettingsError for a number outside its range, or a real-time factor without simulated time."""
        check_settings(self)
        if self.real_time_factor != 1.0 and not self.sim_time:
            raise SettingsError(
                f"parameter real_time_factor is {self.real_time_factor}; valid: 1.0 on the wall clock, "
                "others with sim_time:=true"
            )
