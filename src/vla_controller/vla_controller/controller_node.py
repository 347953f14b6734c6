# SPDX-License-Identifier: Apache-2.0
"""The controller node: joint states and action chunks in, a jerk-limited joint trajectory point out at every tick."""

from __future__ import annotations

import math
import signal
import sys
import time
from types import FrameType

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_controller.arm_controller import ArmController
from vla_controller.chunk import Refusal
from vla_controller.health import diagnose
from vla_controller.robot_config import RobotConfigError, load_robot_config
from vla_controller.ros import conversions, pace
from vla_controller.ros.parameters import declare_settings
from vla_controller.setpoint import ControllerState, Setpoint
from vla_controller.settings import ControllerSettings, NodeSettings
from vla_controller.tick_times import TickTimes
from vla_msgs.msg import ActionChunk, ControllerStatus, Instruction

SENSOR = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
DISCOVERY_TIME = 1.0  # [s] in which another controller would be seen
STOP_TIME = 0.9  # [s] at most, to come to rest at shutdown
EXIT_UNUSABLE = 2  # a parameter or the robot's description cannot be used, or another controller is there


class OtherControllerError(RuntimeError):
    """Somebody else already commands the arm."""


class ControllerNode(Node):
    """Wires topics to an ArmController and ticks it."""

    def __init__(self) -> None:
        """Declare parameters and load the robot; raises RobotConfigError when either cannot be used."""
        super().__init__("controller_node")
        self.settings = declare_settings(self, NodeSettings)
        config = load_robot_config(self.settings.robot_config)
        self._dt = 1.0 / self.settings.rate
        limits = declare_settings(self, ControllerSettings)
        self._max_steps = limits.max_steps
        self._controller = ArmController(config, self._dt, limits)
        self._config, self._joints = config, list(config.joints)
        self._times = TickTimes(round(60.0 * self.settings.rate))
        self._setpoint: Setpoint | None = None
        self._logged: tuple[ControllerState, str] | None = None
        self._gripper_sent = math.nan
        self._refused_before = 0
        self._rivals = 0
        self._closing: float | None = None
        self.arm_topic = self.settings.arm_command_topic or config.arm_command_topic

    def refuse_a_second_controller(self) -> None:
        """Raise OtherControllerError when somebody already publishes to the arm."""
        deadline = time.monotonic() + DISCOVERY_TIME
        while self._closing is None and time.monotonic() < deadline:
            self._rivals = self.count_publishers(self.arm_topic)
            if self._rivals:
                raise OtherControllerError(self._rivalry())
            time.sleep(0.05)

    def _rivalry(self) -> str:
        return f"{self._rivals} other publisher(s) command the arm on {self.arm_topic}"

    def connect(self) -> None:
        """Create publishers, subscriptions and services."""
        settings, config = self.settings, self._config
        self._started = Header(stamp=self.get_clock().now().to_msg(), frame_id=self.arm_topic)
        self._starts = self.create_publisher(Header, "~/started", LATCHED)
        self._starts.publish(self._started)
        self.create_subscription(Header, "~/started", self._on_start_of_another, LATCHED)
        gripper_topic = settings.gripper_command_topic or config.gripper_command_topic
        self._arm = self.create_publisher(JointTrajectory, self.arm_topic, 1)
        self._gripper = self.create_publisher(JointTrajectory, gripper_topic, 1)
        self._status = self.create_publisher(ControllerStatus, settings.status_topic, 10)
        self._ee_pose = self.create_publisher(PoseStamped, settings.ee_pose_topic, 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_subscription(JointState, settings.joint_state_topic, self._on_joint_state, SENSOR)
        self.create_subscription(ActionChunk, settings.chunk_topic, self._on_chunk, 5)
        self.create_subscription(Instruction, settings.instruction_topic, self._on_instruction, LATCHED)
        self.create_service(Trigger, "~/estop", self._on_estop)
        self.create_service(Trigger, "~/reset_estop", self._on_reset_estop)
        self.create_service(Trigger, "~/home", self._on_home)
        self.create_timer(1.0, self._on_second)

    def begin_closing(self) -> None:
        """Come to rest, then let the tick loop end; safe to call from a signal handler."""
        if self._closing is None:
            self._closing = time.monotonic()

    def tick(self) -> bool:
        """One tick of the controller; False when the node may exit."""
        start = time.monotonic()
        if self._closing is not None:
            self._controller.halt("shutting down")
            if self._controller.at_rest or start - self._closing > STOP_TIME:
                return False
        now = self._now()
        self._setpoint = setpoint = self._controller.tick(now)
        if setpoint is not None:
            self._send(setpoint)
        self._report(setpoint, now, start)
        return True

    def _now(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _send(self, setpoint: Setpoint) -> None:
        self._arm.publish(conversions.arm_to_msg(setpoint, self._joints, self._dt))
        if not math.isnan(setpoint.gripper) and setpoint.gripper != self._gripper_sent:
            known = not math.isnan(self._gripper_sent)
            change = setpoint.gripper - self._gripper_sent if known else 1.0
            self._gripper_sent = setpoint.gripper
            self._send_gripper(change)

    def _send_gripper(self, change: float) -> None:
        if not math.isnan(self._gripper_sent):
            gripper = self._config.gripper
            self._gripper.publish(conversions.gripper_to_msg(self._gripper_sent, change, gripper, self._dt))

    def _report(self, setpoint: Setpoint | None, now: float, start: float) -> None:
        controller = self._controller
        compute = time.monotonic() - start
        report = conversions.TickReport(
            now=now,
            measured=controller.measured,
            ee_setpoint=None if setpoint is None else controller.kinematics.fk(setpoint.q),
            tick_period=self._times.add(start, compute),
            compute_time=compute,
            chunks_accepted=controller.chunks_accepted,
            steps_late=controller.steps_late,
            refusals=controller.log.entries(),
        )
        self._status.publish(conversions.status_to_msg(setpoint, report, self._joints, self._config.base_frame))
        if setpoint is not None and (setpoint.state, setpoint.reason) != self._logged:
            if setpoint.reason:
                self.get_logger().info(f"{setpoint.state.name.lower()}: {setpoint.reason}")
            self._logged = (setpoint.state, setpoint.reason)

    def _on_start_of_another(self, msg: Header) -> None:
        """Of two controllers of one arm the later one gives way, also when discovery took its time."""
        earlier = conversions.seconds_from_msg(msg.stamp) < conversions.seconds_from_msg(self._started.stamp)
        if earlier and msg.frame_id == self.arm_topic:
            raise OtherControllerError(f"another controller_node already commands the arm on {self.arm_topic}")

    def _on_joint_state(self, msg: JointState) -> None:
        joints = conversions.joints_from_msg(msg, self._joints)
        if joints is None:
            return  # another device's joints
        now = self._now()
        stamp = conversions.seconds_from_msg(msg.header.stamp)
        if stamp == 0.0:
            msg.header.stamp, stamp = conversions.time_to_msg(now), now
        self._controller.update_joint_state(min(stamp, now), *joints)
        pose = self._controller.kinematics.fk(joints[0])
        self._ee_pose.publish(conversions.pose_to_msg(pose, msg.header.stamp, self._config.base_frame))

    def _on_chunk(self, msg: ActionChunk) -> None:
        if self._closing is not None:
            return
        if self._rivals:
            self._controller.log.add(Refusal("other_publisher", self._rivalry()))
            return
        refusal = self._controller.accept(conversions.chunk_from_msg(msg, self._max_steps), self._now())
        if refusal is not None:
            self.get_logger().warning(f"{refusal.name}: {refusal.reason}", throttle_duration_sec=1.0)

    def _on_instruction(self, msg: Instruction) -> None:
        self._controller.set_instruction(msg.id, stop=msg.kind == Instruction.KIND_STOP)

    def _on_estop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._controller.estop()
        return conversions.answer(response, None, "decelerating; latched until reset")

    def _on_reset_estop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return conversions.answer(response, self._controller.reset_estop(), "reset; give a new instruction to move")

    def _on_home(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return conversions.answer(
            response, self._controller.go_home(self._now()), "going home; give a new instruction to move on"
        )

    def _on_second(self) -> None:
        self._send_gripper(1.0)  # again, for a gripper that has just come
        controller = self._controller
        self._rivals = max(0, self.count_publishers(self.arm_topic) - 1)
        if self._rivals:
            controller.halt(self._rivalry())
        health = diagnose(self._setpoint, controller, self._times, self._refused_before)
        self._refused_before = controller.log.total()
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(
            conversions.diagnostics_to_msg(stamp, health.level, health.message, self._config.robot, health.values)
        )


def _serve(node: ControllerNode) -> None:
    """Tick until a signal comes and the arm is at rest."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        node.begin_closing()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    priority = pace.ask_for_real_time() if node.settings.realtime else "normal priority"
    node.refuse_a_second_controller()
    node.connect()
    pace.settle_memory()
    node.get_logger().info(f"{node.settings.rate:g} Hz to {node.arm_topic}, {priority}")
    sim_time = node.get_parameter("use_sim_time").value
    pace.run(node, node.get_clock() if sim_time else None, 1.0 / node.settings.rate, node.tick, node.begin_closing)


def main(args: list[str] | None = None) -> int:
    """Run the node; return 0 after a signal, 2 when it cannot work as it was started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until there is something to bring to rest
    node = None
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = ControllerNode()
        _serve(node)
    except KeyboardInterrupt:
        pass
    except (RobotConfigError, OtherControllerError) as error:
        print(f"controller_node: {error}", file=sys.stderr, flush=True)
        return EXIT_UNUSABLE
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
