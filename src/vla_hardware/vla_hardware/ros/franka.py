# SPDX-License-Identifier: Apache-2.0
"""The driver node of a Franka: wires the arm's and the hand's threads to topics and services."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory
from vla_core.health import Health
from vla_core.realtime import ask_for_real_time
from vla_core.robot import RobotConfig, RobotConfigError, load_robot_config
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import OVERRIDABLE, ManagedNode
from vla_core.ros.parameters import declare_settings
from vla_core.ros.time import time_from_ns
from vla_core.ros.trajectory import age_from_msg, points_from_msg
from vla_core.trajectory.checks import CommandError, Joints, check_trajectory
from vla_core.trajectory.spline import TrajectoryPoint

from vla_hardware.franka.arm import ArmReading, FrankaArm, is_realtime_kernel, load_franky
from vla_hardware.franka.errors import ArmError, ArmFault
from vla_hardware.franka.gripper import HandLoop, connect_hand
from vla_hardware.franka.health import Commands, arm_health, hand_health
from vla_hardware.franka.limits import STOP_LOWER, STOP_UPPER, velocity_bounds
from vla_hardware.franka.loop import ArmLoop
from vla_hardware.settings import FrankaSettings
from vla_hardware.stream import StartError, VelocityStream

WARN_PERIOD_S = 2.0
ORDINARY_KERNEL = "this kernel has no PREEMPT_RT, which a real arm needs for smooth motion"
NARROW = QoSProfile(depth=10)


class FrankaDriverNode(ManagedNode):
    """Joint states out; joint trajectories of the arm and of the first finger in; `~/recover`, `~/home_gripper`."""

    UNUSABLE = (*ManagedNode.UNUSABLE, ArmError)

    def __init__(self) -> None:
        super().__init__("franka_driver_node")
        declare_settings(self, FrankaSettings)

    def configure(self) -> None:
        """Connect, check and create the entities; the arm does not move."""
        settings = self._settings = declare_settings(self, FrankaSettings)
        robot = self._robot = load_robot_config(settings.robot_config)
        if len(robot.joints) != len(STOP_LOWER):
            raise RobotConfigError(f"{robot.robot} has {len(robot.joints)} joints; an FR3 has {len(STOP_LOWER)}")
        self._arm = FrankaArm(robot, settings.options)
        bounds = velocity_bounds(robot)
        self._stream = VelocityStream(bounds, settings.position_gain, settings.lead, settings.tolerance)
        self._loop = ArmLoop(
            self._arm,
            self._stream,
            1.0 / settings.rate,
            self._publish,
            settings.follow_arm_clock,
            settings.read_only,
        )
        self._loop.failure = self._on_failure
        self._hand = self._connect_hand(settings, robot)
        self.releases.callback(self._disconnect)
        self._commands = Commands()
        self._create_entities(settings, robot)
        self.get_logger().info(self._greeting(settings))

    def _greeting(self, settings: FrankaSettings) -> str:
        topic = settings.arm_command_topic or self._robot.arm_command_topic
        what = "reading only" if settings.read_only else f"commands on {topic}"
        kernel = "" if is_realtime_kernel() else f"; {ORDINARY_KERNEL}"
        return f"connected to the FR3 at {settings.robot_ip}; {what}{kernel}"

    def _connect_hand(self, settings: FrankaSettings, robot: RobotConfig) -> HandLoop | None:
        if not settings.hand:
            return None
        speed = settings.gripper_speed or robot.gripper.speed
        return HandLoop(connect_hand(load_franky(), settings.robot_ip), speed, settings.gripper_force)

    def _create_entities(self, settings: FrankaSettings, robot: RobotConfig) -> None:
        self._states = self.create_publisher(
            JointState, settings.joint_states_topic, NARROW, qos_overriding_options=OVERRIDABLE
        )
        self.create_service(Trigger, "~/recover", self._on_recover)
        parts: dict[str, Callable[[], Health]] = {
            "arm": lambda: arm_health(self._loop, settings.read_only),
            "commands": self._commands.health,
        }
        if (hand := self._hand) is not None:
            parts["hand"] = lambda: hand_health(hand)
        DiagnosticsPublisher(self, parts)
        if settings.read_only:
            return
        arm_topic = settings.arm_command_topic or robot.arm_command_topic
        self.create_subscription(JointTrajectory, arm_topic, self._on_arm, NARROW)
        if self._hand is not None:
            self.create_subscription(JointTrajectory, settings.gripper_command_topic, self._on_gripper, NARROW)
            self.create_service(Trigger, "~/home_gripper", self._on_home_gripper)

    def activate(self) -> None:
        """Start the threads, with real-time priority where this process may have it; franky's thread inherits it."""
        if self._settings.priority:
            self.get_logger().info(ask_for_real_time())
        self._loop.start()
        if self._hand is not None:
            self._hand.start()

    def deactivate(self) -> None:
        """End the threads; a motion that runs comes to rest by itself."""
        self._loop.stop()
        if self._hand is not None:
            self._hand.stop()

    def _disconnect(self) -> None:
        del self._arm, self._loop, self._hand

    # Inputs

    def _on_arm(self, message: JointTrajectory) -> None:
        reading = self._loop.reading
        if not self.active or reading is None:
            return
        if (fault := self._loop.fault) is not None:
            self._refuse("held", f"arm trajectory refused: the arm is held after {fault.name}; call ~/recover")
            return
        points = self._check(message, Joints(self._robot.joints, STOP_LOWER, STOP_UPPER), "arm")
        if points is None:
            return
        try:
            self._stream.follow(time.monotonic(), points, reading.position)
        except StartError as error:
            self._refuse(error.name, f"arm trajectory refused: {error}")
            return
        self._commands.accepted += 1

    def _on_gripper(self, message: JointTrajectory) -> None:
        """Of a trajectory only the last point counts; its effort, where it has one, is the force of a grasp [N]."""
        if not self.active or self._hand is None:
            return
        gripper = self._robot.gripper
        low, high = (np.array([gripper.finger_position(opening)]) for opening in (0.0, 1.0))
        points = self._check(message, Joints((gripper.joint,), low, high), "gripper")
        if not points:
            return
        effort = message.points[-1].effort
        force = min(70.0, abs(float(effort[0]))) if len(effort) == 1 and effort[0] else None
        self._hand.go(min(gripper.max_width, max(gripper.min_width, 2.0 * float(points[-1].positions[0]))), force)
        self._commands.accepted += 1

    def _check(self, message: JointTrajectory, joints: Joints, what: str) -> tuple[TrajectoryPoint, ...] | None:
        try:
            age = age_from_msg(message, self.get_clock().now().nanoseconds)
            return check_trajectory(message.joint_names, points_from_msg(message), joints, age)
        except CommandError as error:
            self._refuse(error.name, f"{what} trajectory refused: {error}")
            return None

    def _refuse(self, name: str, text: str) -> None:
        self._commands.refuse(name, text)
        self.get_logger().warning(text, throttle_duration_sec=WARN_PERIOD_S)

    def _on_recover(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            before = self._loop.recover()
        except (ArmError, ArmFault) as error:
            response.message = f"not recovered: {error}"
            self.get_logger().error(response.message)
            return response
        response.success = True
        response.message = f"recovered from {before}" if before else "nothing to recover from"
        self.get_logger().info(response.message)
        return response

    def _on_home_gripper(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._hand is not None and self.active:
            self._hand.home()
        response.success = self.active
        response.message = "the fingers look for their stops" if self.active else "the driver is not active"
        return response

    # Outputs

    def _publish(self, reading: ArmReading) -> None:
        """Publish a state of the arm and of the fingers; called by the arm's thread."""
        names, position, velocity = list(self._robot.joints), reading.position.tolist(), reading.velocity.tolist()
        effort = reading.effort.tolist()
        hand = None if self._hand is None else self._hand.reading
        if hand is not None:
            gripper = self._robot.gripper
            names += [gripper.joint, gripper.mimic_joint] if gripper.mimic_joint else [gripper.joint]
            fingers = len(names) - len(position)
            position += [hand.width / 2] * fingers
            velocity += [hand.velocity / 2] * fingers
            effort += [-hand.force] * fingers  # closing is the negative direction
        message = JointState(name=names, position=position, velocity=velocity, effort=effort)
        message.header.stamp = time_from_ns(self.get_clock().now().nanoseconds)
        if self.context.ok():
            self._states.publish(message)

    def _on_failure(self, text: str) -> None:
        if self.context.ok():
            self.failure = text
            self.get_logger().fatal(text)
            self.end()
