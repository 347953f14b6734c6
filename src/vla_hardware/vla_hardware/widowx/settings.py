# SPDX-License-Identifier: Apache-2.0
"""Every parameter of widowx_driver_node: its default, unit, range and meaning, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from vla_core.settings import check_settings, setting

from vla_hardware.widowx.arm import WidowXOptions


@dataclass(frozen=True, slots=True)
class WidowXSettings:
    """Parameters of widowx_driver_node; none changes while it runs."""

    robot_config: str = setting("wx250s", "robot file: a name in config/robots, or a path")
    port: str = setting("/dev/ttyDXL", "serial port of the servos' bus")
    baudrate: int = setting(1_000_000, "[1/s] of the bus", 57_600, 4_000_000)
    read_only: bool = setting(False, "connect and publish without ever giving torque or commands")
    rate: float = setting(20.0, "[Hz] of joint states and of the positions to the servos", 5.0, 50.0)
    reply_time: float = setting(0.004, "[s] within which a servo answers", 0.001, 0.5)
    watchdog: float = setting(0.5, "[s] of silence on the bus after which the servos stop by themselves", 0.02, 2.5)
    tolerance: float = setting(
        0.1, "[rad] from the arm to a trajectory that may be joined; twice this ends it", 0.01, 0.5
    )
    lag: float = setting(0.15, "[s] by which the servos may be late behind their positions", 0.0, 1.0)
    gripper_pwm: int = setting(300, "of 885: how hard the fingers press at most", 50, 885)
    priority: bool = setting(True, "real-time priority for this process, where it may have it")
    joint_states_topic: str = setting("joint_states", "sensor_msgs/JointState out")
    arm_command_topic: str = setting("", "trajectory_msgs/JointTrajectory in; empty: the robot's own")
    gripper_command_topic: str = setting("", "left finger's trajectory [m] in; empty: the robot's own")

    def __post_init__(self) -> None:
        """Raise SettingsError for a value outside its range."""
        check_settings(self)

    @property
    def options(self) -> WidowXOptions:
        """How the arm is set up."""
        return WidowXOptions(
            port=self.port,
            baud=self.baudrate,
            read_only=self.read_only,
            period=1.0 / self.rate,
            reply=self.reply_time,
            watchdog=self.watchdog,
            gripper_pwm=self.gripper_pwm,
        )
