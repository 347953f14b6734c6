# SPDX-License-Identifier: Apache-2.0
"""Where setpoints go: one small adapter for each kind of receiver, all from the same Setpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import PoseStamped, Twist, TwistStamped
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory
from vla_core.robot import RobotConfig, RobotConfigError
from vla_core.ros.time import time_from_seconds
from vla_core.rotation import Pose

from vla_controller.arm.kinematics import Kinematics
from vla_controller.motion.servo import twist_between
from vla_controller.motion.setpoint import Setpoint
from vla_controller.motion.stream import LEAD, Command, CommandStream
from vla_controller.ros import conversions

Array = npt.NDArray[np.float64]

_DEPTH = 4  # with a depth of 1 a setpoint waits until the middleware has released the one before: 16 ms were seen


@dataclass(frozen=True, slots=True)
class Situation:
    """What an adapter may use: the setpoint of this tick, and the tool's poses in the base frame, made when asked."""

    setpoint: Setpoint
    kinematics: Kinematics
    joints_before: Array  # (n,) [rad] of the setpoint before it
    joints_measured: Array  # (n,) [rad] of the arm as last measured
    command: Command | None = None  # for a receiver that interpolates by itself

    @property
    def goal(self) -> Pose:
        """Tool pose of the setpoint, one tick from now."""
        return self.kinematics.fk(self.setpoint.q)

    @property
    def before(self) -> Pose:
        """Tool pose of the setpoint before it, now."""
        return self.kinematics.fk(self.joints_before)

    @property
    def measured(self) -> Pose:
        """Tool pose of the arm as last measured."""
        return self.kinematics.fk(self.joints_measured)


@dataclass(frozen=True, slots=True)
class Output:
    """One kind of receiver: its message, its usual topic (empty: the robot's own), and how the message is made."""

    message: type[Any]
    topic: str
    make: Callable[[Situation, RobotConfig, float], Any]


def joint_trajectory(now: Situation, config: RobotConfig, dt: float) -> JointTrajectory:
    """What is promised already, the next tick, and a stop, so that a lost message ends at rest inside the limits."""
    if now.command is None:
        raise ValueError("a joint trajectory needs the command of a CommandStream")
    return conversions.command_to_msg(now.command, list(config.joints))


def forward_position(now: Situation, config: RobotConfig, dt: float) -> Float64MultiArray:
    """Positions [rad] in the order of the robot's joints."""
    return Float64MultiArray(data=now.setpoint.q.tolist())


def servo_pose(now: Situation, config: RobotConfig, dt: float) -> PoseStamped:
    """Pose of the tool in the base frame."""
    return conversions.pose_to_msg(now.goal, time_from_seconds(now.setpoint.stamp), config.base_frame)


def servo_twist(now: Situation, config: RobotConfig, dt: float) -> TwistStamped:
    """Velocity of the tool [m/s], [rad/s] over this tick in the base frame, with its drift made good."""
    linear, angular = twist_between(now.before, now.goal, now.measured, dt)
    msg = TwistStamped()
    msg.header.stamp, msg.header.frame_id = time_from_seconds(now.setpoint.stamp), config.base_frame
    msg.twist.linear.x, msg.twist.linear.y, msg.twist.linear.z = linear.tolist()
    msg.twist.angular.x, msg.twist.angular.y, msg.twist.angular.z = angular.tolist()
    return msg


OUTPUTS = {
    "joint_trajectory": Output(JointTrajectory, "", joint_trajectory),
    "forward_position": Output(Float64MultiArray, "forward_position_controller/commands", forward_position),
    "servo_twist": Output(TwistStamped, "servo_node/delta_twist_cmds", servo_twist),
    "servo_pose": Output(PoseStamped, "servo_node/pose_target_cmds", servo_pose),
}


def find_output(name: str) -> Output:
    """The output called ``name``; raises RobotConfigError with the valid ones."""
    if name not in OUTPUTS:
        raise RobotConfigError(f"unknown output {name!r}; valid: {', '.join(OUTPUTS)}")
    return OUTPUTS[name]


class ArmOutput:
    """Publishes setpoints to one receiver."""

    def __init__(
        self, node: Node, output: Output, topic: str, config: RobotConfig, dt: float, lead: float = LEAD
    ) -> None:
        """``dt`` [s] is the time between setpoints, ``lead`` [s] the settings' ``command_lead``."""
        self._make, self._config, self._dt = output.make, config, dt
        self._publisher = node.create_publisher(output.message, topic, _DEPTH)
        self._stream = CommandStream(config.limits, dt, lead) if output.message is JointTrajectory else None
        self._last: Array | None = None

    def late(self, now: float) -> float:
        """Time [s] by which a tick at ``now`` [s] comes too late: the arm has then begun to stop."""
        return 0.0 if self._stream is None else self._stream.late(now)

    def send(
        self, setpoint: Setpoint, kinematics: Kinematics, measured: Array | None, timed: bool, late: float = 0.0
    ) -> None:
        """Send one setpoint; ``measured`` (n,) [rad] are the arm's joints.

        ``timed``: the receiver's clock agrees with this one. ``late`` [s]: what :meth:`late` said before the tick.
        """
        now = setpoint.q if measured is None else measured
        before, self._last = now if self._last is None else self._last, setpoint.q
        command = None if self._stream is None else self._stream.command(setpoint, setpoint.stamp, late)
        if command is not None and not timed:
            command = command.from_arrival(setpoint.stamp)
        situation = Situation(setpoint, kinematics, before, now, command)
        self._publisher.publish(self._make(situation, self._config, self._dt))


def base_to_msg(base: Any) -> Twist:
    """Velocity (x [m/s], y [m/s], about z [rad/s]) of a mobile base in its own frame."""
    msg = Twist()
    msg.linear.x, msg.linear.y, msg.angular.z = (float(value) for value in base)
    return msg
