# SPDX-License-Identifier: Apache-2.0
"""The real graph under `vla up`: every parameter arrives, a second graph is refused, deaths, exit statuses."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_prefix, get_package_share_directory
from vla_bringup.description import OnExit
from vla_bringup.graph import GRAPH

pytestmark = pytest.mark.system
DOMAIN = os.environ.get("ROS_DOMAIN_ID", "92")  # the one this test run has claimed: two runs at a time do not meet
GIVEN = {
    "robot": "wx250s",
    "policy": "expert",
    "device": "cpu",
    "rate": "4.0",
    "seed": "7",
    "camera_delay": "0.05",
    "action_delay": "0.02",
    "instruction": "pick up: the 'red' block",
}
WORDS = [f"{name}:={text}" for name, text in GIVEN.items()]


@pytest.fixture(autouse=True)
def private_domain(monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", DOMAIN)
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


class Up:
    """`vla up` as a process; its output goes to a file."""

    def __init__(self, folder, words):
        self.log = folder / "up.log"
        program = Path(get_package_prefix("vla_bringup")) / "lib" / "vla_bringup" / "vla_up"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen([program, *words], stdout=output, stderr=subprocess.STDOUT)

    @property
    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def until(self, pattern, within_s=120.0):
        deadline = time.monotonic() + within_s
        while not re.search(pattern, self.text):
            assert self.process.poll() is None, f"ended before {pattern!r}:\n{self.text}"
            assert time.monotonic() < deadline, f"no {pattern!r}:\n{self.text}"
            time.sleep(0.1)
        return self

    def pid(self, node):
        return int(re.findall(rf"{node} started \[pid (\d+)\]", self.text)[-1])

    def end(self, within_s=60.0):
        code = self.process.wait(timeout=within_s)
        left = [pid for pid in re.findall(r"started \[pid (\d+)\]", self.text) if Path(f"/proc/{pid}").exists()]
        assert not left, f"still running: {left}"
        return code


@pytest.fixture
def up(tmp_path):
    graph = Up(tmp_path, WORDS)
    yield graph.until("controller_node: |controller_node]: ").until("policy_node]: ").until("simulator_node]: ")
    if graph.process.poll() is None:
        graph.process.send_signal(signal.SIGINT)
        graph.process.wait(timeout=60)


def parameters(names_by_node):
    """The values that running nodes have for their parameters; None where a node does not know one."""
    import rclpy
    from rcl_interfaces.srv import GetParameters
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import parameter_value_to_python

    context = Context()
    rclpy.init(args=[], context=context)
    node = rclpy.create_node("parameter_reader", context=context)
    executor = SingleThreadedExecutor(context=context)
    result = {}
    for name, wanted in names_by_node.items():
        client = node.create_client(GetParameters, f"/{name}/get_parameters")
        assert client.wait_for_service(timeout_sec=60.0), name
        future = client.call_async(GetParameters.Request(names=wanted))
        executor.add_node(node)
        executor.spin_until_future_complete(future, timeout_sec=60.0)
        values = [parameter_value_to_python(value) for value in future.result().values]
        result[name] = dict(zip(wanted, values, strict=True)) if values else {}
    rclpy.shutdown(context=context)
    return result


def test_every_parameter_of_the_graph_arrives_and_ctrl_c_ends_it_cleanly(up, tmp_path_factory):
    resolved = GRAPH.resolve(GIVEN, Path(get_package_share_directory("vla_bringup")))
    starts = [start for start in resolved if start.on_exit is not OnExit.ONCE]  # a job may have ended by now
    there = parameters({start.name: list(start.parameters) for start in starts})
    for start in starts:
        assert there[start.name] == dict(start.parameters), start.name
    second = Up(tmp_path_factory.mktemp("second"), WORDS)
    assert second.end() == 2
    assert f"already running in ROS domain {DOMAIN}" in second.text
    assert str(up.process.pid) in second.text
    up.process.send_signal(signal.SIGINT)
    assert up.end() == 0, up.text
    assert "Traceback" not in up.text
    assert [start.name for start in starts if f"{start.name} finished [" not in up.text] == []


class Operator:
    """Says things to the graph, and remembers the last status of the policy and the controller."""

    def __init__(self):
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.context import Context
        from rclpy.executors import SingleThreadedExecutor
        from std_msgs.msg import String

        from vla_msgs.msg import ControllerStatus, PolicyStatus

        self.context, self.text = Context(), String
        rclpy.init(args=[], context=self.context)
        self.node = rclpy.create_node("operator", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.policy, self.controller, self.said = PolicyStatus(), ControllerStatus(), []
        self.node.create_subscription(PolicyStatus, "/vla/policy_status", lambda m: setattr(self, "policy", m), 10)
        self.node.create_subscription(
            ControllerStatus, "/vla/controller_status", lambda m: setattr(self, "controller", m), 10
        )
        self.node.create_subscription(
            DiagnosticArray, "/diagnostics", lambda m: self.said.extend(s.message for s in m.status), 50
        )
        self.publisher = self.node.create_publisher(String, "/vla/text_command", 10)

    def until(self, condition, within_s=60.0):
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, (self.policy, self.controller.state, self.said[-10:])
            self.executor.spin_once(timeout_sec=0.05)

    def say(self, text):
        self.until(lambda: self.publisher.get_subscription_count() > 0)
        self.publisher.publish(self.text(data=text))

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@contextlib.contextmanager
def console_page(graph):
    """A page of the graph's console: a function that gives its commands."""
    from websockets.sync.client import connect

    address = re.findall(r"console: http(://\S+)", graph.until(r"console: http").text)[-1]
    with connect(f"ws{address}socket") as page:
        page.send(json.dumps({"do": "hello"}))
        yield lambda **body: page.send(json.dumps(body))


@pytest.fixture
def operator(private_domain):
    made = Operator()
    yield made
    made.close()


def test_without_a_camera_the_arm_holds_and_bad_words_change_nothing(up, operator):
    say, until, task = operator.say, operator.until, "push the red block to the left"
    until(lambda: operator.policy.instruction != "")
    say(task)
    until(lambda: operator.policy.instruction == task and operator.policy.state == operator.policy.STATE_RUNNING)
    os.kill(up.pid("camera_node"), signal.SIGSTOP)
    until(lambda: operator.policy.state == operator.policy.STATE_WAITING and "s old; valid" in operator.policy.reason)
    until(lambda: operator.controller.state == operator.controller.STATE_HOLDING)
    held = list(operator.controller.setpoint)
    operator.said.clear()
    for words, answer in (
        ("", "empty instruction"),
        ("x" * 10240, "10240 characters"),
        ("a \ufffd", "not clean UTF-8"),
    ):
        say(words)
        until(lambda answer=answer: any(answer in message for message in operator.said))
        assert operator.policy.instruction == task
    assert list(operator.controller.setpoint) == pytest.approx(held, abs=1e-6)
    os.kill(up.pid("camera_node"), signal.SIGCONT)
    until(lambda: operator.policy.state in (operator.policy.STATE_RUNNING, operator.policy.STATE_DONE))
    with console_page(up) as command:
        command(do="say", text=task)
        until(lambda: operator.policy.state == operator.policy.STATE_RUNNING and operator.policy.instruction == task)
        until(lambda: operator.controller.state == operator.controller.STATE_TRACKING)
        command(do="stop")
        until(lambda: operator.policy.state == operator.policy.STATE_STOPPED)
        until(lambda: operator.controller.state == operator.controller.STATE_HOLDING)
    say("dance the tango")
    until(lambda: operator.policy.state == operator.policy.STATE_ERROR and "pick up" in operator.policy.reason)
    until(lambda: operator.controller.state == operator.controller.STATE_HOLDING)
    assert up.process.poll() is None
    assert "restarted" not in up.text
    assert "Traceback" not in up.text


def test_a_dead_camera_node_comes_back_and_a_dead_controller_ends_the_graph(up):
    os.kill(up.pid("camera_node"), signal.SIGKILL)
    up.until("camera_node is restarted").until(r"(?s)camera_node started.*camera_node started")
    os.kill(up.pid("controller_node"), signal.SIGKILL)
    assert up.end() == 1
    assert "controller_node is required" in up.text


def test_a_policy_that_cannot_start_ends_the_graph_and_says_why(tmp_path):
    graph = Up(tmp_path, ["sim:=none", "checkpoint:=/no/such/checkpoint", "device:=cpu", "console:=false"])
    assert graph.end(within_s=90.0) == 1
    assert "/no/such/checkpoint" in graph.text
    assert "policy_node is required" in graph.text
