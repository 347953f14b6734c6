# SPDX-License-Identifier: Apache-2.0
"""`vla say` against a stand-in for the instruction node, over DDS."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.node
COMMAND = [sys.executable, "-c", "import sys; from vla_demo.ros.say import main; sys.exit(main())"]
INTAKE = """
import rclpy
from std_msgs.msg import String
from rclpy.qos import DurabilityPolicy, QoSProfile
from vla_msgs.msg import Instruction
rclpy.init()
node = rclpy.create_node("intake")
latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
out = node.create_publisher(Instruction, "/vla/instruction", latched)
def take(message):
    if message.data:
        kind = Instruction.KIND_STOP if message.data == "stop" else Instruction.KIND_TASK
        answer = Instruction(text=message.data, kind=kind)
        answer.header.stamp = node.get_clock().now().to_msg()
        out.publish(answer)
node.create_subscription(String, "/vla/text_command", take, 10)
print("ready", flush=True)
rclpy.spin(node)
"""


@pytest.fixture
def intake():
    process = subprocess.Popen([sys.executable, "-c", INTAKE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield
    process.kill()
    process.wait()


def say(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.usefixtures("intake")
def test_the_graph_tells_what_it_took():
    done = say("pick", "up the red block", "--timeout", "20")
    assert (done.returncode, done.stdout) == (0, "task: pick up the red block\n"), done.stderr
    done = say("stop", "--timeout", "20")
    assert (done.returncode, done.stdout) == (0, "stop: stop\n"), done.stderr


@pytest.mark.usefixtures("intake")
def test_a_refused_sentence_is_an_error():
    done = say("", "--timeout", "20")
    assert done.returncode == 1
    assert "instruction_node says why" in done.stderr


def test_without_a_graph_it_says_so():
    done = say("pick", "--timeout", "0.5")
    assert done.returncode == 1
    assert "nobody listens on /vla/text_command" in done.stderr
