# SPDX-License-Identifier: Apache-2.0
"""The driver node of a WidowX: wires the thread of its bus to topics and services."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory
from vla_core.realtime import ask_for_real_time
from vla_core.robot import load_robot_config
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import OVERRIDABLE, ManagedNode
from vla_core.ros.parameters import declare_settings
from vla_core.ros.time import time_from_ns

from vla_hardware.franka.errors import ArmError, ArmFault
from vla_hardware.franka.health import Commands
from vla_hardware.ros.intake import Intake
from vla_hardware.stream import PositionStream, StartError
from vla_hardware.widowx.arm import WidowXArm, WidowXReading
from vla_hardware.widowx.health import arm_health
from vla_hardware.widowx.loop import WidowXLoop
from vla_hardware.widowx.servos import SLEEP
from vla_hardware.widowx.settings import WidowXSettings

NARROW = QoSProfile(depth=10)


class WidowXDriverNode(ManagedNode):
    """Joint states out; trajectories of arm and fingers in; `~/recover`, `~/sleep`, `~/torque_off`, `~/torque_on`."""

    UNUSABLE = (*ManagedNode.UNUSABLE, ArmError, ArmFault)

    def __init__(self) -> None:
        super().__init__("widowx_driver_node")
        declare_settings(self, WidowXSettings)

    def configure(self) -> None:
        """Connect, check and create the entities; the arm does not move."""
        settings = self._settings = declare_settings(self, WidowXSettings)
        robot = self._robot = load_robot_config(settings.robot_config)
        self._arm = WidowXArm(robot, settings.options)
        self.releases.callback(self._arm.close)
        self._stream = PositionStream(robot.limits, settings.tolerance, settings.lag)
        self._loop = WidowXLoop(self._arm, self._stream, self._publish)
        self._loop.failure = self._on_failure
        self._commands = Commands()
        self._intake = Intake(self, robot, self._commands)
        self._create_entities(settings)
        wrote = f"; {self._arm.written} settings written to the servos" if self._arm.written else ""
        what = "reading only" if settings.read_only else "holds the arm once it is active"
        self.get_logger().info(f"connected to the {robot.robot} on {settings.port}; {what}{wrote}")

    def _create_entities(self, settings: WidowXSettings) -> None:
        robot = self._robot
        self._states = self.create_publisher(
            JointState, settings.joint_states_topic, NARROW, qos_overriding_options=OVERRIDABLE
        )
        DiagnosticsPublisher(
            self, {"arm": lambda: arm_health(self._loop, self._arm), "commands": self._commands.health}
        )
        self._offer("~/recover", self._recover)
        if settings.read_only:
            return
        arm = settings.arm_command_topic or robot.arm_command_topic
        gripper = settings.gripper_command_topic or robot.gripper_command_topic
        self.create_subscription(JointTrajectory, arm, self._on_arm, NARROW)
        self.create_subscription(JointTrajectory, gripper, self._on_gripper, NARROW)
        for name, act in (("sleep", self._sleep), ("torque_off", self._torque_off), ("torque_on", self._torque_on)):
            self._offer(f"~/{name}", act)

    def _offer(self, name: str, act: Callable[[], str]) -> None:
        def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            return self._intake.answer(response, act)

        self.create_service(Trigger, name, answer)

    def activate(self) -> None:
        """Give the servos torque where they are, and start the thread."""
        if self._settings.priority:
            self.get_logger().info(ask_for_real_time())
        self._loop.start()

    def deactivate(self) -> None:
        """End the thread; the servos hold the arm."""
        self._loop.stop()

    # Inputs

    def _on_arm(self, message: JointTrajectory) -> None:
        reading = self._loop.reading
        if not self.active or reading is None or not self._is_free():
            return
        points = self._intake.arm(message)
        if points is None:
            return
        try:
            self._stream.follow(time.monotonic(), points, reading.position)
        except StartError as error:
            self._intake.refuse(error.name, f"arm trajectory refused: {error}")
            return
        self._commands.accepted += 1

    def _on_gripper(self, message: JointTrajectory) -> None:
        """Of a trajectory only the last point counts."""
        if self.active and self._is_free() and (travel := self._intake.fingers(message)) is not None:
            self._loop.grip(travel)
            self._commands.accepted += 1

    def _is_free(self) -> bool:
        """Whether commands are taken; otherwise this one is refused."""
        if (fault := self._loop.fault) is not None:
            self._intake.refuse("held", f"trajectory refused: the arm is held after {fault.name}; call ~/recover")
        elif self._loop.lowered:
            self._intake.refuse("lowered", "trajectory refused: the arm is lowered; call ~/torque_on")
        return fault is None and not self._loop.lowered

    def _recover(self) -> str:
        before = self._loop.recover()
        return f"recovered from {before}" if before else "nothing to recover from"

    def _sleep(self) -> str:
        sleep = np.array([SLEEP[joint] for joint in self._robot.joints])
        return f"the arm is lowered within {self._loop.lower(sleep):.1f} s; then ~/torque_off, or ~/torque_on"

    def _torque_off(self) -> str:
        self._loop.release()
        return "the servos have no torque; ~/torque_on holds the arm where it is then"

    def _torque_on(self) -> str:
        self._loop.wake()
        return "the servos hold the arm; commands are taken"

    # Outputs

    def _publish(self, reading: WidowXReading) -> None:
        """Publish a state of arm and fingers; called by the arm's thread."""
        gripper, n = self._robot.gripper, len(self._robot.joints)
        fingers = [gripper.joint, gripper.mimic_joint] if gripper.mimic_joint else [gripper.joint]
        more = len(fingers)
        message = JointState(
            name=[*self._robot.joints, *fingers],
            position=[*reading.position.tolist(), *[reading.fingers] * more],
            velocity=[*reading.velocity.tolist(), *[0.0] * more],
            effort=[*reading.effort.tolist()[:n], *[0.0] * more],
        )
        message.header.stamp = time_from_ns(self.get_clock().now().nanoseconds)
        if self.context.ok():
            self._states.publish(message)

    def _on_failure(self, text: str) -> None:
        if self.context.ok():
            self.failure = text
            self.get_logger().fatal(text)
            self.end()
