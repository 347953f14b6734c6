# SPDX-License-Identifier: Apache-2.0
"""A node's process ends with the documented status, whatever its libraries do."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rclpy")

pytestmark = pytest.mark.node

NODE = """
import atexit, ctypes, sys
import vla_core.ros.process as process
from vla_core.ros.managed import ManagedNode
from vla_core.settings import SettingsError

process.DEADLINE = 1.5

class Plain(ManagedNode):
    def __init__(self):
        super().__init__("plain")
        print("ready", flush=True)

class Stuck(Plain):
    def destroy_node(self):
        ctypes.PyDLL(None).sleep(1000)  # holds the interpreter lock, as the destruction of a DDS participant does

class Failing(Stuck):
    def serve(self):
        raise RuntimeError("broken")

class Refusing(Plain):
    def __init__(self):
        raise SettingsError("rate is 0; valid: 1 to 30")

class RefusingLate(ManagedNode):
    def __init__(self):
        super().__init__("late")

    def configure(self):
        raise SettingsError("rate is 0; valid: 1 to 30")

class CrashingAfterwards(RefusingLate):  # as libraries do whose static destructors run beside their threads
    def __init__(self):
        super().__init__()
        atexit.register(ctypes.string_at, 0)

sys.modules["nodes"] = sys.modules["__main__"]
sys.exit(process.run_node("nodes:" + sys.argv[1], []))
"""


def start(name: str, **environment: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", NODE, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["Plain", "Stuck"])
def test_a_signal_ends_the_process_with_status_0(name, number):
    process = start(name)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "Traceback" not in output


@pytest.mark.parametrize("name", ["Plain", "RefusingLate"])
def test_the_graph_forgets_a_node_as_soon_as_its_process_ended(name):
    """Without a farewell DDS takes it for alive for its lease of 20 s, and calls its services."""
    import rclpy
    from rclpy.context import Context

    context = Context()
    rclpy.init(context=context)
    observer = rclpy.create_node("observer", context=context)
    process = start(name)
    node = {"Plain": "plain", "RefusingLate": "late"}[name]
    if name == "Plain":
        while node not in observer.get_node_names():
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    ended = time.monotonic()
    while node in observer.get_node_names():
        time.sleep(0.02)
    gone = time.monotonic() - ended
    observer.destroy_node()
    context.shutdown()
    assert gone < 10.0


def test_a_failure_keeps_its_status_when_the_end_gets_stuck():
    process = start("Failing")
    process.communicate(timeout=60)
    assert process.returncode == 1


@pytest.mark.parametrize("name", ["Refusing", "RefusingLate", "CrashingAfterwards"])
def test_refused_parameters_are_one_line_and_status_2(name):
    process = start(name)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output.endswith("rate is 0; valid: 1 to 30\n")
    assert len(output.splitlines()) == 1, output


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"ROS_DOMAIN_ID": "233"}, "ROS_DOMAIN_ID='233' is not valid; a whole number from 0 to 232"),
        ({"ROS_DOMAIN_ID": "abc"}, "ROS_DOMAIN_ID='abc' is not valid; a whole number from 0 to 232"),
        ({"ROS_LOG_DIR": "/proc/nowhere"}, "set ROS_LOG_DIR to a folder that can be written"),
        ({"ROS_LOG_DIR": "", "HOME": ""}, "set ROS_LOG_DIR to a folder that can be written"),
    ],
)
def test_an_environment_without_ros_is_refused_with_the_remedy(environment, reason):
    process = start("Plain", **environment)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert reason in output.splitlines()[-1]
    assert "Traceback" not in output


def test_a_deadline_replaces_the_one_before():
    setting = "d = Deadline(); d.set(3, 0.2); d.set(4, 0.4); time.sleep(60)"
    script = f"import time; from vla_core.ros.deadline import Deadline; {setting}"
    begun = time.monotonic()
    assert subprocess.run([sys.executable, "-c", script], timeout=50).returncode == 4
    assert time.monotonic() - begun > 0.4
