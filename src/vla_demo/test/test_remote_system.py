# SPDX-License-Identifier: Apache-2.0
"""The whole graph with its policy behind a network: the shipped RT-1, with TLS and a token, until the server goes."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data as SENSOR
from vla_demo.run.child import GraphProcess, find_vla_up, private_environment
from vla_policy.serve.process import serving_process
from vla_policy.serve.testing import make_certificates

from vla_msgs.msg import ControllerStatus, PolicyStatus, TaskStatus

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl to make certificates"),
]
PATIENCE_S = 120.0
TASK, NEXT = "pick up the red block", "put the red block in the bowl"


def test_a_served_rt1_does_its_task_and_the_arm_holds_when_the_server_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in private_environment(os.environ, os.getpid()).items():
        monkeypatch.setenv(name, text)
    make_certificates(tmp_path)
    (tmp_path / "token").write_text("secret\n")
    file = {
        name: str(tmp_path / name)
        for name in ("token", "ca.pem", "server.pem", "server.key", "client.pem", "client.key")
    }
    serve = ("--token-file", file["token"], "--tls-cert", file["server.pem"], "--tls-key", file["server.key"])
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("remote_listener", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    heard = {PolicyStatus: PolicyStatus(), ControllerStatus: ControllerStatus(), TaskStatus: TaskStatus()}
    for kind, topic in (
        (PolicyStatus, "/vla/policy_status"),
        (ControllerStatus, "/vla/controller_status"),
        (TaskStatus, "/sim/task_status"),
    ):
        node.create_subscription(kind, topic, lambda message, kind=kind: heard.update({kind: message}), SENSOR)

    def until(condition: Callable[[], bool], graph: GraphProcess) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            executor.spin_once(timeout_sec=0.1)
            graph.check()
            assert time.monotonic() < deadline, f"{heard}\n{graph.tail(40)}"

    files = f"ca_file={file['ca.pem']} certificate_file={file['client.pem']} key_file={file['client.key']}"
    words = ["policy:=remote", "map:=rt1", f"token_file:={file['token']}", f"policy_options:={files}", "seed:=3"]
    try:
        with ExitStack() as server:
            address = server.enter_context(
                serving_process("rt1", "--threads", "1", *serve, "--client-ca", file["ca.pem"])
            )
            url = f"wss://localhost:{address.rsplit(':', 1)[1]}"
            words += [f"server:={url}", f"instruction:={TASK}"]
            with GraphProcess((str(find_vla_up()), *words), tmp_path / "graph.log") as graph:
                until(lambda: heard[TaskStatus].success, graph)
                assert heard[TaskStatus].instruction == TASK
                assert url in heard[PolicyStatus].checkpoint
                subprocess.run([sys.executable, "-m", "vla_operator.ros.say", NEXT], check=True, timeout=PATIENCE_S)
                until(lambda: heard[PolicyStatus].state == PolicyStatus.STATE_RUNNING, graph)
                server.close()
                until(lambda: heard[PolicyStatus].state == PolicyStatus.STATE_WAITING, graph)
                assert url in heard[PolicyStatus].reason
                until(lambda: heard[ControllerStatus].state == ControllerStatus.STATE_HOLDING, graph)
        assert graph.exit_code == 0, graph.tail(40)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
