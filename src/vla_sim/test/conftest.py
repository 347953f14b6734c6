# SPDX-License-Identifier: Apache-2.0
"""Worlds, a way to put the hand somewhere, and simulator_node as a process with a listener."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
from vla_sim.world.robots import ROBOTS
from vla_sim.world.world import World


@pytest.fixture(scope="session", params=sorted(ROBOTS))
def any_world(request) -> World:
    """One world a robot; tests lay their own table and home the arm."""
    return World(request.param)


@pytest.fixture
def world(any_world) -> World:
    any_world.action_delay = 0.0
    any_world.park_all()
    any_world.reset_robot(any_world.robot.home)
    return any_world


def reach(world: World, xyz: tuple[float, float, float]) -> np.ndarray:
    """Joints (n,) that bring the tool to `xyz` [m] with the fingers down, by damped least squares from home."""
    data = mujoco.MjData(world.model)
    names = world.robot.joint_names
    q_index = [world.model.joint(name).qposadr[0] for name in names]
    v_index = [world.model.joint(name).dofadr[0] for name in names]
    site = world.model.site("tcp").id
    data.qpos[q_index] = world.robot.home
    mujoco.mj_forward(world.model, data)
    turn_home = data.site_xmat[site].reshape(3, 3).copy()
    jacobian = np.zeros((6, world.model.nv))
    for _ in range(200):
        mujoco.mj_forward(world.model, data)
        mujoco.mj_jacSite(world.model, data, jacobian[:3], jacobian[3:], site)
        turn = data.site_xmat[site].reshape(3, 3)
        twist = 0.5 * sum(np.cross(turn[:, i], turn_home[:, i]) for i in range(3))
        error = np.concatenate([xyz - data.site_xpos[site], twist])
        if np.linalg.norm(error) < 1e-5:
            break
        arm = jacobian[:, v_index]
        data.qpos[q_index] += arm.T @ np.linalg.solve(arm @ arm.T + 1e-5 * np.eye(6), error)
    assert np.linalg.norm(error) < 1e-3, f"the arm cannot reach {xyz}"
    return data.qpos[q_index].copy()


@pytest.fixture(name="reach")
def reach_fixture() -> Callable[[World, tuple[float, float, float]], np.ndarray]:
    return reach


class Process:
    """simulator_node with its output."""

    def __init__(self, parameters: dict[str, object]) -> None:
        words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
        command = [sys.executable, "-m", "vla_sim.simulator_node", *(["--ros-args", *words] if words else [])]
        self.popen = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.popen.stdout:
            self.output += line

    def wait_until_caught(self, number: int, timeout: float = 40.0) -> None:
        """Until the process handles the signal itself: the earliest moment at which it can end in order."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            status = Path(f"/proc/{self.popen.pid}/status").read_text()
            mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
            if int(mask, 16) >> (number - 1) & 1:
                return
            time.sleep(0.005)
        raise AssertionError(f"signal {number} is never handled")

    def wait_for(self, text: str, timeout: float = 40.0) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.output:
            assert time.monotonic() < deadline, f"no {text!r} in: {self.output}"
            assert self.popen.poll() is None or text in self.output, f"ended: {self.output}"
            time.sleep(0.02)

    def end(self, number: int = signal.SIGINT) -> int:
        """Exit status after a signal."""
        self.popen.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Exit status."""
        try:
            status = self.popen.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            raise
        self._reader.join(timeout=5)
        return status


@pytest.fixture(scope="module")
def start_simulator():
    processes: list[Process] = []

    def start(**parameters: object) -> Process:
        processes.append(Process(parameters))
        return processes[-1]

    yield start
    for process in processes:
        if process.popen.poll() is None:
            process.popen.kill()
        process.wait()


class Bench:
    """A node that remembers what it hears, with the wall time [ns] of arrival."""

    def __init__(self) -> None:
        import rclpy

        rclpy.init()
        self.node = rclpy.create_node("simulator_bench")
        self.heard: dict[str, list[tuple[int, object]]] = defaultdict(list)
        self._publishers: dict[str, object] = {}

    def listen(self, kind: type, topic: str, qos: object = 50) -> None:
        self.node.create_subscription(kind, topic, lambda m: self.heard[topic].append((time.time_ns(), m)), qos)

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.spin_until(lambda: time.monotonic() >= end, seconds + 5.0)

    def spin_until(self, done: Callable[[], object], timeout: float = 40.0) -> None:
        import rclpy

        deadline = time.monotonic() + timeout
        while not done():
            assert time.monotonic() < deadline, "nothing happened in time"
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def fresh(self, topic: str, count: int = 1, timeout: float = 40.0) -> list:
        """The next messages of a topic."""
        self.heard[topic].clear()
        self.spin_until(lambda: len(self.heard[topic]) >= count, timeout)
        return [message for _, message in self.heard[topic]]

    def send(self, topic: str, message: object) -> None:
        """Publish, once the subscriber is there."""
        if topic not in self._publishers:
            self._publishers[topic] = self.node.create_publisher(type(message), topic, 10)
            self.spin_until(lambda: self._publishers[topic].get_subscription_count() > 0)
        self._publishers[topic].publish(message)

    def call(self, kind: type, service: str, request: object, timeout: float = 40.0):
        client = self.node.create_client(kind, service)
        assert client.wait_for_service(timeout_sec=timeout)
        future = client.call_async(request)
        self.spin_until(future.done, timeout)
        return future.result()

    def close(self) -> None:
        import rclpy

        self.node.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    yield bench
    bench.close()
