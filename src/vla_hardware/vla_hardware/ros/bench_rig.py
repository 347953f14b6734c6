# SPDX-License-Identifier: Apache-2.0
"""franky-sim, the driver and the controller as processes that may be killed, and a client that gives goals."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import rclpy
from control_msgs.action import FollowJointTrajectory
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from vla_core.robot import RobotConfig

from vla_hardware.bench.motion import Path

Array = NDArray[np.float64]
START_S = 90.0  # [s] in which a process has to come up
SETTLE_S = 1.5  # [s] in which the controller comes to believe the joint states
ATTEMPTS, ANSWER_S = 10, 4.0  # for a goal, and [s] between them
LEAD_S, TICK_S = 0.05, 0.05  # [s] of a command: where what is new begins, and how long it is


class RigError(RuntimeError):
    """A process did not come up, or an answer did not come."""


def free_address() -> str:
    """Return a loopback address on which nobody serves libfranka's port."""
    draw = random.Random(os.getpid())
    while True:
        address = f"127.{draw.randint(16, 250)}.{draw.randint(1, 250)}.{draw.randint(1, 250)}"
        with socket.socket() as trial:
            try:
                trial.bind((address, 1337))
            except OSError:
                continue
        return address


class Rig:
    """Everything of one benchmark; a context manager."""

    def __init__(self, robot: RobotConfig, logs: FilePath) -> None:
        """Start nothing yet; `logs` takes the output of the processes."""
        self.robot, self._logs = robot, logs
        self.address = free_address()
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.state: tuple[float, Array, Array] | None = None  # stamp [s], positions, velocities of the arm
        self.measured: list[tuple[float, Array]] = []
        self.commands: list[tuple[float, Array]] = []
        self.arm_fault = ""  # as the driver's diagnostics name it
        self.refused = 0
        self.keep = False  # whether joint states and commands are kept

    def __enter__(self) -> Rig:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._sim_output = (self._logs / "franka_sim.log").open("w")
        rclpy.init()
        self.node = rclpy.create_node("hardware_bench")
        self.node.create_subscription(JointState, "joint_states", self._on_state, 50)
        self.node.create_subscription(JointTrajectory, self.robot.arm_command_topic, self._on_command, 50)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 50)
        self._action = ActionClient(self.node, FollowJointTrajectory, "controller_node/follow_joint_trajectory")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()
        self._start_sim()
        self.start_driver()
        self.start_controller()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGINT)
        for process in self.processes.values():
            try:
                process.wait(15.0)
            except subprocess.TimeoutExpired:
                process.kill()
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()

    # Processes

    def _start_sim(self) -> None:
        command = [sys.executable, "-m", "vla_hardware.franka.standin", "--address", self.address, "--real-time"]
        sim = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._sim_output, text=True
        )
        self.processes["sim"] = sim
        assert sim.stdout is not None
        if "ready" not in sim.stdout.readline():
            raise RigError(f"franky-sim did not start; see {self._logs / 'franka_sim.log'}")

    def tell_sim(self, command: str) -> None:
        """Give franky-sim a command and wait until it is done."""
        sim = self.processes["sim"]
        assert sim.stdin is not None
        assert sim.stdout is not None
        sim.stdin.write(f"{command}\n")
        sim.stdin.flush()
        if "done" not in sim.stdout.readline():
            raise RigError(f"franky-sim ended; see {self._logs / 'franka_sim.log'}")

    def start_driver(self) -> None:
        """Start the driver and wait for its joint states."""
        self.state, self.arm_fault = None, ""
        values = {"robot_ip": self.address, "realtime": "ignore", "follow_arm_clock": "true", "wait": "30.0"}
        self._start("driver", "vla_hardware.franka_driver_node", values)
        self.wait(lambda: self.state is not None, "the driver's joint states")

    def start_controller(self) -> None:
        """Start the controller and wait for its action."""
        values = {"robot_config": "fr3", "operator_timeout": "0.0"}
        self._start("controller", "vla_controller.controller_node", values)
        time.sleep(0.5)
        if not self._action.wait_for_server(START_S):
            raise RigError("the controller's action does not come up")
        time.sleep(SETTLE_S)

    def _start(self, name: str, module: str, values: dict[str, str]) -> None:
        words = [word for key, value in values.items() for word in ("-p", f"{key}:={value}")]
        with (self._logs / f"{name}.log").open("a") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", module, "--ros-args", *words], stdout=log, stderr=subprocess.STDOUT, text=True
            )

    def kill(self, name: str) -> None:
        """Kill a process as the kernel does."""
        self.processes[name].kill()
        self.processes[name].wait()

    # What comes

    def _on_state(self, message: JointState) -> None:
        n = len(self.robot.joints)
        stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        self.state = (stamp, np.array(message.position[:n]), np.array(message.velocity[:n]))
        if self.keep:
            self.measured.append(self.state[:2])

    def _on_command(self, message: JointTrajectory) -> None:
        """Keep what is new in a command: the next tick."""
        if not self.keep or not message.points:
            return
        start = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        for point in message.points:
            at = point.time_from_start.sec + point.time_from_start.nanosec * 1e-9
            if LEAD_S - 1e-6 <= at < LEAD_S + TICK_S - 1e-6:
                self.commands.append((start + at, np.array(point.positions)))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {item.key: item.value for item in status.values}
            if status.name == "franka_driver_node: arm":
                self.arm_fault = status.message.partition(":")[0] if status.level == status.ERROR else ""
            elif status.name == "franka_driver_node: commands":
                self.refused = int(values.get("refused", 0))

    # What is asked

    def wait(self, condition: Callable[[], bool], what: str, timeout: float = START_S) -> None:
        """Wait until `condition` holds; raises RigError."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise RigError(f"no {what} within {timeout:g} s")
            time.sleep(0.005)

    def call(self, service: str) -> tuple[bool, str]:
        """Call a Trigger; return whether it succeeded, and its message."""
        client = self.node.create_client(Trigger, service)
        try:
            if not client.wait_for_service(START_S):
                raise RigError(f"no service {service}")
            future = client.call_async(Trigger.Request())
            self.wait(future.done, f"answer of {service}")
            answer = future.result()
            return bool(answer.success), str(answer.message)
        finally:
            self.node.destroy_client(client)

    def position(self) -> Array:
        """Return the arm's joints [rad]."""
        self.wait(lambda: self.state is not None, "joint states")
        assert self.state is not None
        return self.state[1]

    def begin(self, path: Path) -> Any:
        """Send a path as a goal; return the future of its result. Raises RigError where it is not accepted."""
        goal = FollowJointTrajectory.Goal()
        goal.trajectory.joint_names = list(self.robot.joints)
        for t, q, qd, qdd in zip(path.times, path.positions, path.velocities, path.accelerations, strict=True):
            point = JointTrajectoryPoint(positions=q.tolist(), velocities=qd.tolist(), accelerations=qdd.tolist())
            point.time_from_start.sec, point.time_from_start.nanosec = divmod(round(float(t) * 1e9), 10**9)
            goal.trajectory.points.append(point)
        results: list[Any] = []

        def ask() -> None:  # in the executor's thread, where no answer is too quick
            sent = self._action.send_goal_async(goal)
            sent.add_done_callback(lambda done: results.append(done.result().get_result_async()))

        for last in (False,) * (ATTEMPTS - 1) + (True,):  # a request to a controller that was killed has no answer
            self._executor.create_task(ask)
            try:
                self.wait(lambda: bool(results), "answer to a goal", ANSWER_S)
                break
            except RigError:
                if last:
                    raise
        return results[0]
