# SPDX-License-Identifier: Apache-2.0
"""The whole graph on simulated time, faster and slower than real: the expert does its task, nothing reads the wall."""

import os
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data as SENSOR
from vla_demo.run.child import GraphProcess, find_vla_up, private_environment

from vla_msgs.msg import ActionChunk, ControllerStatus, Observation, TaskStatus

pytestmark = pytest.mark.system
PATIENCE_S = 240.0
TASK = "pick up the red block"
A_DAY_S = 86_400  # simulated time starts at zero


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_the_expert_succeeds_on_simulated_time(factor: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in private_environment(os.environ, os.getpid()).items():
        monkeypatch.setenv(name, text)
    words = (
        f"instruction:={TASK}",
        "policy:=expert",
        "seed:=3",
        "sim_time:=true",
        "console:=false",
        f"real_time_factor:={factor}",
    )
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("sim_time_listener", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    heard: dict[type, object] = {}
    for kind, topic in (
        (Observation, "/vla/observation"),
        (ActionChunk, "/vla/action_chunk"),
        (ControllerStatus, "/vla/controller_status"),
        (TaskStatus, "/sim/task_status"),
    ):
        node.create_subscription(kind, topic, lambda message, kind=kind: heard.update({kind: message}), SENSOR)
    try:
        with GraphProcess((str(find_vla_up()), *words), tmp_path / "graph.log") as graph:
            deadline = time.monotonic() + PATIENCE_S
            while not (TaskStatus in heard and heard[TaskStatus].success):
                executor.spin_once(timeout_sec=0.1)
                graph.check()
                assert time.monotonic() < deadline, f"{heard.get(TaskStatus)}\n{graph.tail(40)}"
            assert heard[TaskStatus].instruction == TASK
            assert set(heard) == {Observation, ActionChunk, ControllerStatus, TaskStatus}
            assert all(message.header.stamp.sec < A_DAY_S for message in heard.values())
            assert 0.2 * factor < heard[TaskStatus].real_time_factor < 1.1 * factor
        assert graph.exit_code == 0, graph.tail(40)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
