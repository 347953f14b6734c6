# SPDX-License-Identifier: Apache-2.0
"""instruction_node over DDS, with what operators and speech recognisers send."""

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import serialize_message
from std_msgs.msg import String

from vla_msgs.msg import Instruction

pytestmark = pytest.mark.node
LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
INSTRUCTION, TEXT, VOICE = "/vla/instruction", "/vla/text_command", "/voice_command"
STATUS = "instruction_node: instructions"


@pytest.fixture(scope="module")
def node(start_node):
    process = start_node("vla_operator.instruction_node")
    process.wait_for("listening")
    return process


@pytest.fixture
def operator(node, bench):
    """The bench, listening; what the node's memory of earlier tests delivers is dropped."""
    bench.listen(Instruction, INSTRUCTION, LATCHED)
    bench.spin_until(lambda: bench.node.count_publishers(INSTRUCTION) > 0)
    bench.spin(0.3)
    bench.clear()
    yield bench
    assert node.process.poll() is None, node.output


def answer(operator) -> Instruction:
    operator.spin_until(lambda: operator.received[INSTRUCTION])
    (message,) = operator.received[INSTRUCTION]
    operator.clear()
    return message


def test_text_and_voice_become_instructions(operator):
    operator.send(TEXT, String(data="  pick up\tthe red   block\n"))
    typed = answer(operator)
    assert (typed.text, typed.kind, typed.source) == ("pick up the red block", typed.KIND_TASK, typed.SOURCE_TEXT)
    now = operator.node.get_clock().now().nanoseconds / 1e9
    assert abs(now - typed.header.stamp.sec - typed.header.stamp.nanosec / 1e9) < 2.0
    operator.send(VOICE, String(data="Put the block in the bowl."))
    spoken = answer(operator)
    assert (spoken.text, spoken.source) == ("Put the block in the bowl.", spoken.SOURCE_VOICE)
    assert typed.id
    assert typed.id != spoken.id


@pytest.mark.parametrize("topic", [TEXT, VOICE])
def test_stop(operator, topic):
    operator.send(topic, String(data="STOP!"))
    assert answer(operator).kind == Instruction.KIND_STOP


def cdr_string(content: bytes) -> bytes:
    """A serialized std_msgs/String of bytes that need not be UTF-8, as a C++ publisher could send it."""
    header = bytes(serialize_message(String(data="")))[:4]
    return header + (len(content) + 1).to_bytes(4, "little") + content + b"\0"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (String(data=""), "empty instruction"),
        (String(data=" \n "), "empty instruction"),
        (String(data="x" * 10240), "received 10240 characters, valid are 1 to 512"),
        (String(data="pick up \ufffd block"), "not clean UTF-8"),
        (cdr_string(b"pick up \xff\xfe block"), "not clean UTF-8"),
    ],
)
def test_refused_with_a_reason_and_counted(operator, node, sent, said):
    operator.send(TEXT, sent, message_type=String)
    status = operator.diagnosis(STATUS, said)
    assert status.level == b"\x01"
    values = {item.key: item.value for item in status.values}
    assert int(values["refused"]) >= 1
    assert said in values["last_refusal"]
    assert not operator.received[INSTRUCTION]
    assert len(node.output) < 20_000  # the log does not repeat 10 kB of text
    operator.send(TEXT, String(data="push the block to the left"))
    assert answer(operator).text == "push the block to the left"
    operator.diagnosis(STATUS, "refused")
