# SPDX-License-Identifier: Apache-2.0
"""The controller node in a process of its own, over DDS, with an arm that follows and with faults."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from vla_controller.robot_config import load_robot_config

pytestmark = pytest.mark.node
CONFIG = load_robot_config("fr3")
JOINTS = list(CONFIG.joints)


class Arm:
    """A robot over DDS that is wherever it was last told to be, in a thread; and the operator's and policy's side."""

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
        self.sending, self.stamps, self.sequence = True, [], 0
        self.commands, self.arrivals, self.grippers = [], [], []
        self.statuses, self.poses, self.diagnostics = [], [], []
        self._joint_states = node.create_publisher(JointState, "/joint_states", qos_profile_sensor_data)
        self._chunks = node.create_publisher(ActionChunk, "/vla/action_chunk", 5)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._instructions = node.create_publisher(Instruction, "/vla/instruction", latched)
        node.create_subscription(JointTrajectory, CONFIG.arm_command_topic, self._on_command, 10)
        node.create_subscription(JointTrajectory, CONFIG.gripper_command_topic, self.grippers.append, 10)
        node.create_subscription(ControllerStatus, "/vla/controller_status", self.statuses.append, 10)
        node.create_subscription(PoseStamped, "/vla/ee_pose", self.poses.append, 10)
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

        if self.sending:
            msg = JointState(name=["fr3_finger_joint1", *JOINTS], position=[0.04, *self.q.tolist()])
            msg.header.stamp = self.node.get_clock().now().to_msg()
            self.stamps.append((msg.header.stamp.sec, msg.header.stamp.nanosec))
            self._joint_states.publish(msg)

    def _on_command(self, msg: object) -> None:
        self.commands.append(msg)
        self.arrivals.append(time.monotonic())
        self.q = np.array(msg.points[0].positions)

    def instruct(self, name: str, stop: bool = False) -> None:
        from vla_msgs.msg import Instruction

        self._instructions.publish(Instruction(id=name, text=name, kind=int(stop)))
        time.sleep(0.15)

    def chunk(self, *translations: tuple[float, float, float], instruction: str = "a", gripper: float = 1.0) -> None:
        from vla_msgs.msg import ActionChunk, ActionStep

        self.sequence += 1
        msg = ActionChunk(instruction_id=instruction, sequence=self.sequence, period=0.2, joint_names=JOINTS)
        msg.header.stamp = self.node.get_clock().now().to_msg()
        msg.header.frame_id = CONFIG.base_frame
        msg.observed_pose = self.statuses[-1].ee_setpoint
        for translation in translations:
            step = ActionStep(gripper=gripper)
            step.translation.x, step.translation.y, step.translation.z = translation
            msg.steps.append(step)
        self._chunks.publish(msg)

    def call(self, service: str) -> object:
        from std_srvs.srv import Trigger

        client = self._services[service]
        assert client.wait_for_service(5.0)
        future = client.call_async(Trigger.Request())
        self.wait(future.done)
        return future.result()

    def wait(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"not in {timeout} s; last status {self.statuses[-1:]}"
            time.sleep(0.01)

    def wait_for_state(self, state: int) -> None:
        count = len(self.statuses)
        self.wait(lambda: len(self.statuses) > count and self.statuses[-1].state == state)

    def speed(self) -> float:
        return float(np.max(np.abs(self.commands[-1].points[0].velocities)))

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join(2.0)
        self.node.destroy_node()
        self.context.try_shutdown()


class Controller:
    """The node's process; its output goes to a file."""

    def __init__(self, log: Path, *parameters: str) -> None:
        arguments = [part for parameter in parameters for part in ("-p", parameter)]
        self.log = log
        with log.open("w") as output:
            command = [sys.executable, "-m", "vla_controller.controller_node", "--ros-args", *arguments]
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

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

    def make(*parameters: str) -> Controller:
        started.append(Controller(tmp_path / f"{len(started)}.txt", *parameters))
        return started[-1]

    yield make
    for controller in started:
        if controller.process.poll() is None:
            controller.process.kill()
            controller.process.wait()


def assert_commands_within_limits(arm: Arm, rate: float) -> None:
    points = [command.points[0] for command in arm.commands]
    q, qd, qdd = (np.array([getattr(p, n) for p in points]) for n in ("positions", "velocities", "accelerations"))
    limits = CONFIG.limits
    assert np.all(q >= limits.lower - 1e-9)
    assert np.all(q <= limits.upper + 1e-9)
    assert np.all(np.abs(qd) <= limits.velocity)
    assert np.all(np.abs(qdd) <= limits.acceleration)
    assert np.all(np.abs(np.diff(q, axis=0)) * rate <= limits.velocity + 1e-6)
    assert np.all(np.abs(np.diff(qdd, axis=0)) * rate <= limits.jerk + 1e-6)


def test_a_working_life(arm: Arm, start: Callable[..., Controller]) -> None:
    """Wait, hold, follow, refuse, stop, be stopped for emergencies, lose the joint states, and end in mid-motion."""
    arm.sending = False
    controller = start()
    arm.wait(lambda: len(arm.statuses) > 5, 20.0)
    assert {status.state for status in arm.statuses} == {0}
    assert arm.commands == []

    arm.sending = True
    arm.wait_for_state(1)
    assert list(arm.commands[0].points[0].positions) == CONFIG.home.tolist()
    assert arm.commands[0].joint_names == JOINTS
    assert arm.poses[-1].header.frame_id == CONFIG.base_frame
    assert (arm.poses[-1].header.stamp.sec, arm.poses[-1].header.stamp.nanosec) in arm.stamps

    arm.chunk((0.0, 0.05, 0.0))
    arm.wait(lambda: any(r.name == "wrong_instruction" for r in arm.statuses[-1].refusals))
    arm.instruct("a")
    before = arm.statuses[-1].ee_setpoint.position
    arm.chunk((0.0, 0.05, 0.0), (0.0, 0.0, 0.03))
    arm.wait_for_state(2)
    arm.wait_for_state(1)
    after = arm.statuses[-1].ee_setpoint.position
    assert (after.x - before.x, after.y - before.y, after.z - before.z) == pytest.approx((0.0, 0.05, 0.03), abs=1e-3)
    assert arm.statuses[-1].chunks_accepted == 1
    assert arm.statuses[-1].stamp_to_setpoint == pytest.approx(0.05, abs=0.15)
    assert arm.grippers[-1].points[0].positions[0] == pytest.approx(0.04)

    arm.chunk((float("nan"), 0.0, 0.0))
    arm.wait(lambda: any(r.name == "non_finite" and r.reason for r in arm.statuses[-1].refusals))
    assert arm.speed() == 0.0

    for halt in (lambda: arm.instruct("s", stop=True), lambda: arm.call("estop")):
        arm.instruct("b")
        arm.chunk(*[(0.0, -0.04, 0.0)] * 5, instruction="b")
        arm.wait(lambda: arm.speed() > 0.1)
        halt()
        arm.wait(lambda: arm.speed() == 0.0, 1.0)
    arm.wait(lambda: any(s.level == b"\x02" for d in arm.diagnostics for s in d.status if "controller" in s.name))
    arm.chunk((0.0, 0.02, 0.0), instruction="b")
    arm.wait(lambda: any(r.name == "estopped" for r in arm.statuses[-1].refusals))
    assert not arm.call("home").success
    assert arm.call("reset_estop").success
    assert arm.call("home").success
    arm.wait(lambda: np.allclose(arm.q, CONFIG.home, atol=1e-4) and arm.speed() == 0.0)

    arm.sending = False
    arm.wait(lambda: any(r.name == "joint_state_stale" for r in arm.statuses[-1].refusals))
    arm.sending = True
    time.sleep(0.2)

    arm.instruct("c")
    arm.chunk(*[(0.0, 0.04, 0.0)] * 6, instruction="c")
    arm.wait(lambda: arm.speed() > 0.1)
    asked = time.monotonic()
    controller.process.send_signal(signal.SIGTERM)
    assert controller.process.wait(5.0) == 0, controller.output
    assert time.monotonic() - asked < 2.0
    assert "Traceback" not in controller.output
    time.sleep(0.1)
    assert arm.speed() == 0.0
    assert_commands_within_limits(arm, 20.0)


def test_a_hundred_setpoints_a_second_and_sigint(arm: Arm, start: Callable[..., Controller]) -> None:
    controller = start("rate:=100.0")
    arm.wait(lambda: len(arm.commands) > 250, 30.0)
    assert np.median(np.diff(arm.arrivals[50:])) == pytest.approx(0.01, abs=0.002)
    controller.process.send_signal(signal.SIGINT)
    assert controller.process.wait(5.0) == 0, controller.output
    assert "Traceback" not in controller.output


def test_a_second_controller_is_refused_and_the_first_goes_on(arm: Arm, start: Callable[..., Controller]) -> None:
    first = start()
    arm.wait_for_state(1)
    second = start()
    assert second.process.wait(20.0) == 2
    assert "the arm on /fr3_arm_controller/joint_trajectory" in second.output
    assert "Traceback" not in second.output
    assert first.process.poll() is None
    arm.wait_for_state(1)


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("robot_config:=ur5", "unknown robot 'ur5'; valid: fr3, panda, wx250s"),
        ("rate:=1000.0", "rate"),
        ("latency_budget:=soon", "latency_budget"),
    ],
)
def test_a_wrong_parameter_is_refused_in_one_line(start: Callable[..., Controller], parameter: str, said: str) -> None:
    controller = start(parameter)
    assert controller.process.wait(20.0) == 2
    assert said in controller.output
    assert "Traceback" not in controller.output
