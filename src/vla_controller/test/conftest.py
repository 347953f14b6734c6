# SPDX-License-Identifier: Apache-2.0
"""Shared by the controller's tests: robots, a bench for each, and an arm over DDS with the controller's process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from vla_controller.arm_controller import ArmController
from vla_controller.bench.rig import Bench
from vla_controller.settings import ControllerSettings
from vla_core.robot import RobotConfig, load_robot_config

DT = 0.05
EARLY = 0.04  # [s] by which the stand-in arm is ahead of its commands: what a busy machine may take from it
CONFIG = load_robot_config("fr3")
JOINTS = list(CONFIG.joints)


@pytest.fixture(scope="session")
def make_bench() -> Iterator[Callable[[str], Bench]]:
    """A fresh bench by robot name; the kinematic models are made once."""
    controllers = {name: ArmController(load_robot_config(name), DT) for name in ("fr3", "panda", "wx250s")}
    yield lambda robot: Bench(controllers[robot], DT)
    controllers.clear()


@pytest.fixture(params=["fr3", "panda", "wx250s"])
def bench(request: pytest.FixtureRequest, make_bench: Callable[[str], Bench]) -> Bench:
    return make_bench(request.param)


@pytest.fixture
def fr3(make_bench: Callable[[str], Bench]) -> Bench:
    return make_bench("fr3")


@pytest.fixture
def fixed() -> Bench:
    """A bench whose latency budget does not follow the policy."""
    return Bench(ArmController(CONFIG, DT, ControllerSettings(latency="fixed")), DT)


@pytest.fixture(params=["fr3", "panda", "wx250s"])
def config(request: pytest.FixtureRequest) -> RobotConfig:
    return load_robot_config(request.param)


def told(msg: object, arrival: float, moment: float, field: str = "positions") -> np.ndarray:
    """What a trajectory wants of the joints (n,) at a time of the wall clock [s], on straight lines between points.

    ``arrival`` [s] of the message counts where it carries no time.
    """
    times, rows = _times(msg, arrival), np.array([getattr(point, field) for point in msg.points])
    return np.array([np.interp(moment, times, row) for row in rows.T])


def _times(msg: object, arrival: float) -> np.ndarray:
    start = msg.header.stamp.sec + 1e-9 * msg.header.stamp.nanosec or arrival
    return np.array([start + point.time_from_start.sec + 1e-9 * point.time_from_start.nanosec for point in msg.points])


def _speed(msg: object, arrival: float, moment: float) -> float:
    """Of the fastest joint [rad/s] from ``moment`` [s] on; 0 once the arm is at rest, as every message ends with it."""
    later = [point.velocities for point, time in zip(msg.points, _times(msg, arrival), strict=True) if time > moment]
    fastest = float(np.max(np.abs([told(msg, arrival, moment, "velocities"), *later])))
    return 0.0 if fastest < 1e-9 else fastest


def _assert_inside(command: object) -> None:
    """Positions, velocities and accelerations of each point, and the jerk between any two: the way and the stop."""
    limits, points = CONFIG.limits, command.points
    q, qd = (np.array([getattr(point, name) for point in points]) for name in ("positions", "velocities"))
    assert np.all(q >= limits.lower - 1e-9)
    assert np.all(q <= limits.upper + 1e-9)
    assert np.all(np.abs(qd) <= limits.velocity)
    if command.header.stamp.sec:  # times that count from arrival come without accelerations
        qdd = np.array([point.accelerations for point in points])
        steps = np.diff([point.time_from_start.sec + 1e-9 * point.time_from_start.nanosec for point in points])
        assert np.all(np.abs(qdd) <= limits.acceleration)
        assert np.all(np.abs(np.diff(qdd, axis=0)) <= np.outer(steps + 1e-8, limits.jerk) + 1e-3)


class Arm:
    """A robot over DDS that is where its latest command has it a moment later; and the operator's and policy's side."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from geometry_msgs.msg import PoseStamped
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
        from sensor_msgs.msg import JointState
        from std_srvs.srv import Trigger
        from trajectory_msgs.msg import JointTrajectory

        from vla_msgs.msg import ActionChunk, ControllerStatus, Instruction

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = node = rclpy.create_node("arm", context=self.context)
        self.q = CONFIG.home.copy()
        self._command, self._arrival = None, 0.0
        self.sending, self.stamps, self.sequence = True, [], 0
        self.obeys_status = False  # it is at every setpoint at once, for an output that it has no driver for
        self.commands, self.arrivals, self.times, self.grippers = [], [], [], []
        self.chunks = []
        self.finger = self.finger_goal = 0.04  # [m] travel of one finger
        self.finger_block = 0.0  # [m] where an object is between the fingers
        self.statuses, self.poses, self.diagnostics = [], [], []
        self._joint_states = node.create_publisher(JointState, "/joint_states", qos_profile_sensor_data)
        self._chunks = node.create_publisher(ActionChunk, "/vla/action_chunk", 5)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._instructions = node.create_publisher(Instruction, "/vla/instruction", latched)
        node.create_subscription(JointTrajectory, CONFIG.arm_command_topic, self._on_command, 10)
        node.create_subscription(JointTrajectory, CONFIG.gripper_command_topic, self._on_gripper, 10)
        node.create_subscription(ControllerStatus, "/vla/controller_status", self._on_status, 10)
        node.create_subscription(PoseStamped, "/vla/ee_pose", self.poses.append, 10)
        node.create_subscription(ActionChunk, "/vla/action_chunk", self.chunks.append, 5)
        node.create_subscription(DiagnosticArray, "/diagnostics", self.diagnostics.append, 10)
        self._services = {
            name: node.create_client(Trigger, f"/controller_node/{name}") for name in ("estop", "reset_estop", "home")
        }
        node.create_timer(0.01, self._send_joint_state)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def _send_joint_state(self) -> None:
        from sensor_msgs.msg import JointState

        way = self.finger_goal - self.finger
        self.finger = max(self.finger_block, self.finger + max(-4e-4, min(4e-4, way)))
        if self._command is not None and not self.obeys_status:
            self.q = told(self._command, self._arrival, time.time() + EARLY)
        if self.sending:
            msg = JointState(name=["fr3_finger_joint1", *JOINTS], position=[self.finger, *self.q.tolist()])
            msg.header.stamp = self.node.get_clock().now().to_msg()
            self.stamps.append((msg.header.stamp.sec, msg.header.stamp.nanosec))
            self._joint_states.publish(msg)

    def _on_status(self, msg: object) -> None:
        self.statuses.append(msg)
        if self.obeys_status and len(msg.setpoint):
            self.q = np.array(msg.setpoint)

    def _on_gripper(self, msg: object) -> None:
        self.grippers.append(msg)
        self.finger_goal = msg.points[0].positions[0]

    def _on_command(self, msg: object) -> None:
        now = time.time()
        self._command, self._arrival = msg, now
        self.arrivals.append(time.monotonic())
        self.times.append(now)
        self.commands.append(msg)

    def instruct(self, name: str, stop: bool = False, listeners: int = 1) -> None:
        from vla_msgs.msg import Instruction

        self.wait(lambda: self._instructions.get_subscription_count() >= listeners)
        msg = Instruction(id=name, text=name, kind=int(stop), sequence=time.time_ns())
        msg.header.stamp = self.node.get_clock().now().to_msg()
        self._instructions.publish(msg)
        time.sleep(0.15)

    def chunk(
        self,
        *translations: tuple[float, float, float],
        instruction: str = "a",
        gripper: float = 1.0,
        base: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> None:
        from vla_msgs.msg import ActionChunk, ActionStep

        self.sequence += 1
        msg = ActionChunk(instruction_id=instruction, sequence=self.sequence, period=0.2, joint_names=JOINTS)
        msg.header.stamp = self.node.get_clock().now().to_msg()
        msg.header.frame_id = CONFIG.base_frame
        msg.observed_pose = self.statuses[-1].ee_setpoint
        for translation in translations:
            step = ActionStep(gripper=gripper)
            step.translation.x, step.translation.y, step.translation.z = translation
            step.base.linear.x, step.base.linear.y, step.base.angular.z = base
            msg.steps.append(step)
        self._chunks.publish(msg)

    def call(self, service: str) -> object:
        from std_srvs.srv import Trigger

        client = self._services[service]
        assert client.wait_for_service(30.0)
        future = client.call_async(Trigger.Request())
        self.wait(future.done)
        return future.result()

    def wait(self, condition: Callable[[], object], timeout: float = 30.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"not in {timeout} s; last status {self.statuses[-1:]}"
            time.sleep(0.01)

    def wait_for_state(self, state: int) -> None:
        count = len(self.statuses)
        self.wait(lambda: len(self.statuses) > count and self.statuses[-1].state == state)

    def speed(self) -> float:
        """Of the fastest joint [rad/s] that the latest command still asks for; 0 once the arm has come to rest."""
        return _speed(self.commands[-1], self.times[-1], time.time())

    def speeds(self) -> np.ndarray:
        """Likewise of all commands so far, each when it came."""
        pairs = zip(list(self.commands), list(self.times), strict=False)
        return np.array([_speed(msg, arrival, arrival) for msg, arrival in pairs])

    def assert_within_limits(self, rate: float) -> None:
        """Every command that came, along its whole way, and every two setpoints that were made one tick apart."""
        for command in self.commands:
            _assert_inside(command)
        told = [status for status in self.statuses if status.setpoint]  # with stamps: a busy machine loses some
        times = np.array([s.header.stamp.sec + 1e-9 * s.header.stamp.nanosec for s in told])
        since = np.array([s.tick_period for s in told[1:]])
        neighbours = np.abs(np.diff(times) - since) < 1e-3  # not by the rate: a late tick lies close to the next
        neighbours &= since < 1.0 / rate + 0.01  # after a late one the arm has gone on along the stop
        assert neighbours.any()
        q = np.array([status.setpoint for status in told])
        assert np.all(np.abs(np.diff(q, axis=0))[neighbours] * rate <= CONFIG.limits.velocity + 1e-6)

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join(2.0)
        self.node.destroy_node()
        self.context.try_shutdown()


class Controller:
    """A node's process, the controller's unless another module is named; its output goes to a file."""

    def __init__(self, log: Path, *parameters: str, module: str = "vla_controller.controller_node") -> None:
        arguments = [part for parameter in parameters for part in ("-p", parameter)]
        self.log = log
        with log.open("w") as output:
            command = [sys.executable, "-m", module, "--ros-args", *arguments]
            # What outlives a controller outlives it within one test.
            environment = {**os.environ, "XDG_STATE_HOME": str(log.parent)}
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)

    @property
    def output(self) -> str:
        return self.log.read_text()


@pytest.fixture
def arm() -> Iterator[Arm]:
    made = Arm()
    yield made
    made.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Controller]]:
    started: list[Controller] = []

    def make(*parameters: str, **module: str) -> Controller:
        started.append(Controller(tmp_path / f"{len(started)}.txt", *parameters, **module))
        return started[-1]

    yield make
    for controller in started:
        if controller.process.poll() is None:
            controller.process.kill()
            controller.process.wait()
