# SPDX-License-Identifier: Apache-2.0
"""The controller node: joint states, chunks and trajectories in, a jerk-limited setpoint out at every tick."""

from __future__ import annotations

import gc
import math
import time

import numpy as np
from geometry_msgs.msg import Twist
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_srvs.srv import Trigger
from vla_core.realtime import ask_for_real_time
from vla_core.robot import load_robot_config
from vla_core.ros.action import chunk_from_msg
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings

from vla_controller.arm_controller import ArmController
from vla_controller.intake.targets import AcceptedChunk
from vla_controller.motion.setpoint import Setpoint
from vla_controller.refusals import Refusal
from vla_controller.ros import conversions, pace
from vla_controller.ros.collision_check import CollisionCheck
from vla_controller.ros.description import with_description
from vla_controller.ros.emergency_stop import EmergencyStop
from vla_controller.ros.gripper import Gripper
from vla_controller.ros.operator_link import OperatorLink
from vla_controller.ros.others.arm_receiver import ArmReceiver
from vla_controller.ros.others.claim import Claim, OtherControllerError
from vla_controller.ros.others.frames import Frames
from vla_controller.ros.others.joint_states import JointStates
from vla_controller.ros.others.rivals import Rivals
from vla_controller.ros.outputs import ArmOutput, base_to_msg, find_output
from vla_controller.ros.reports import Reports
from vla_controller.ros.teleop import Teleop
from vla_controller.ros.trajectory_server import TrajectoryServer
from vla_controller.settings import ControllerSettings, NodeSettings
from vla_msgs.msg import ActionChunk

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
DISCOVERY_TIME = 1.0  # [s] in which another controller would be seen
STOP_TIME = 0.9  # [s] at most, to come to rest at shutdown


class ControllerNode(ManagedNode):
    """Wires topics to an ArmController and ticks it."""

    UNUSABLE = (*ManagedNode.UNUSABLE, OtherControllerError)

    def __init__(self) -> None:
        """Declare parameters; raises SettingsError for an invalid one."""
        super().__init__("controller_node")
        self.settings = declare_settings(self, NodeSettings)
        self._limits = declare_settings(self, ControllerSettings)
        self._dt = 1.0 / self.settings.rate
        self._closing: float | None = None
        self._settled = False

    def configure(self) -> None:
        """Load the robot and create the entities.

        Raises:
            RobotConfigError: the robot's description cannot be used.
            OtherControllerError: another publisher commands the arm.
        """
        config = with_description(self, load_robot_config(self.settings.robot_config))
        self._output = find_output(self.settings.output)
        self._max_steps = self._limits.max_steps
        self._controller = ArmController(config, self._dt, self._limits)
        self._config, self._joints = config, list(config.joints)
        self._checks = CollisionCheck(self, self.settings, self._controller, self._follow)
        self._setpoint: Setpoint | None = None
        self._next_second = 0.0
        self._inference_time = math.nan
        self.arm_topic = self.settings.arm_command_topic or self._output.topic or config.arm_command_topic
        self._rivals = Rivals(self, self.arm_topic)
        self.refuse_a_second_controller()
        self.connect()

    def activate(self) -> None:
        """Send setpoints from where the arm is; it moves upon an instruction that comes from now on.

        Raises:
            OtherControllerError: another publisher commands the arm.
        """
        rival = self._rivals.look(own=1)
        if rival is not None:
            raise OtherControllerError(rival.reason)
        self._controller.engage()
        self.get_logger().info(
            f"{self.settings.rate:g} Hz to {self.resolve_topic_name(self.arm_topic)} ({self.settings.output})"
        )

    def deactivate(self) -> None:
        """Brake along the path; setpoints end with the arm at rest."""
        self._controller.disengage("inactive")
        self._gripper.hold()
        start = time.monotonic()
        while not self._controller.at_rest and time.monotonic() - start < STOP_TIME:
            self._advance()
            time.sleep(self._dt)
        self._advance()  # one tick more, for receivers of velocities

    def serve(self) -> None:
        """Tick until a signal comes and the arm is at rest."""
        if self.settings.realtime:
            self.get_logger().info(ask_for_real_time())
        pace.settle_memory()
        self._warm_up()
        sim_time = self.get_parameter("use_sim_time").value
        pace.run(self, self.get_clock() if sim_time else None, self._dt, self.tick, self.end)

    def _warm_up(self) -> None:
        """Do now what is slow only the first time (20 ms each): a log line that may be throttled, percentiles."""
        self.get_logger().warning("", throttle_duration_sec=1.0, skip_first=True)
        np.percentile([0.0, 1.0], (50, 99))

    def destroy_node(self) -> None:
        """Destroy the node and release what `settle_memory` kept, else ruckig's bindings report leaks at exit."""
        super().destroy_node()
        gc.unfreeze()

    def refuse_a_second_controller(self) -> None:
        """Raise OtherControllerError when somebody already publishes to the arm."""
        deadline = time.monotonic() + DISCOVERY_TIME
        while self._closing is None and time.monotonic() < deadline:
            rival = self._rivals.look(own=0)
            if rival is not None:
                raise OtherControllerError(rival.reason)
            time.sleep(0.05)

    def connect(self) -> None:
        """Create publishers, subscriptions and services."""
        settings, config = self.settings, self._config
        self._claim = Claim(self, self.arm_topic)
        self._arm = ArmOutput(self, self._output, self.arm_topic, config, self._dt, self._limits.command_lead)
        self._gripper = Gripper(self, settings, self._controller)
        self._base = None
        if config.base is not None:
            self._base = self.create_publisher(Twist, settings.base_command_topic or config.base.command_topic, 1)
        self._receiver = ArmReceiver(self, self.arm_topic, config.joints)
        self._reports = Reports(self, settings, self._controller)
        self._joint_states = JointStates(self, settings, self._controller, self._reports, self._gripper)
        self._trajectories = TrajectoryServer(self, self._controller)
        self._frames = Frames(self, config.base_frame)
        self._teleop = Teleop(self, settings, self._controller, self._frames)
        self.create_subscription(ActionChunk, settings.chunk_topic, self._on_chunk, 5)
        self._operator = OperatorLink(self, settings, self._controller, self._gripper.hold)
        self._emergency_stop = EmergencyStop(self, self._controller, self._gripper.hold)
        self.create_service(Trigger, "~/home", self._on_home)
        self.create_service(Trigger, "~/confirm_posture", self._on_confirm_posture)

    def end(self) -> None:
        """Come to rest, then let `serve` return; may be called from any thread."""
        if self._closing is None:
            self._closing = time.monotonic()
        super().end()

    def tick(self) -> bool:
        """One tick of the controller; False when the node may exit."""
        start = time.monotonic()
        if not self.configured:
            return self._closing is None
        if self._closing is not None:
            self._controller.halt("shutting down")
            if self._settled or start - self._closing > STOP_TIME:
                return False
            self._settled = self._controller.at_rest  # one tick more, for receivers of velocities
        self._advance(send=self.active)
        if start >= self._next_second:  # here and not in a timer: a whole period is left for it
            self._next_second = start + 1.0
            self._on_second()
        return True

    def _advance(self, send: bool = True) -> None:
        self._operator.tick()
        start, now = time.monotonic(), self._now()
        late = self._arm.late(now) if send else 0.0
        if late > 0.0:
            self._controller.coast(late)
        self._controller.notice_rival(self._rivals.look(own=1) or self._receiver.refusal)
        self._setpoint = setpoint = self._controller.tick(now)
        if setpoint is not None and send:
            self._send(setpoint, late)
        self._trajectories.after_tick()
        self._gripper.after_tick()
        self._checks.after_tick(now)
        self._reports.tick(setpoint, now, start, self._operator.received)

    def _now(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _send(self, setpoint: Setpoint, late: float) -> None:
        controller = self._controller
        if not controller.withholds(setpoint.stamp):
            self._arm.send(setpoint, controller.kinematics, controller.watch.q, self._joint_states.clock.agrees, late)
        if self._base is not None and setpoint.base is not None:
            self._base.publish(base_to_msg(setpoint.base))
        self._gripper.follow(setpoint.gripper)

    def _on_chunk(self, msg: ActionChunk) -> None:
        if self._closing is not None:
            return
        now = self._now()
        verdict = self._controller.judge(self._frames.resolve(chunk_from_msg(msg, self._max_steps)), now)
        if isinstance(verdict, Refusal):
            self._warn(verdict)
        else:
            self._inference_time = msg.inference_time
            self._checks.offer(verdict, now)

    def _follow(self, accepted: AcceptedChunk) -> None:
        now, chunk = self._now(), accepted.chunk
        refusal = self._controller.follow(accepted, now)
        if refusal is not None:
            self._warn(refusal)
        else:
            self._reports.latency.add_chunk(chunk.sequence, chunk.stamp, self._inference_time, now)

    def _warn(self, refusal: Refusal) -> None:
        self.get_logger().warning(f"{refusal.name}: {refusal.reason}", throttle_duration_sec=1.0)

    def _on_home(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return conversions.answer(
            response, self._controller.go_home(self._now()), "going home; give a new instruction to move on"
        )

    def _on_confirm_posture(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        refusal = self._controller.confirm_posture(self._now())
        return conversions.answer(response, refusal, "confirmed; give a new instruction to move")

    def _on_second(self) -> None:
        self._claim.check()
        controller = self._controller
        self._joint_states.look_for_publishers()
        self._receiver.second(self._joint_states.clock.agrees)
        free = self.active and self._closing is None and not controller.intake.stopped
        self._gripper.greet(free and controller.hindrance(self._now()) is None)
        interface = self._receiver.health(self._joint_states.clock)
        self._reports.second(self._setpoint, interface)
