# SPDX-License-Identifier: Apache-2.0
"""The instruction of the launch line: given once, when the graph is ready, and never again by a restarted intake."""

import subprocess
import sys

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from vla_msgs.msg import ControllerStatus, Instruction, PolicyStatus

pytestmark = pytest.mark.node
INSTRUCTION, POLICY, CONTROLLER = "/vla/instruction", "/vla/policy_status", "/vla/controller_status"
FIRST = [sys.executable, "-m", "vla_operator.ros.say", "--first", "pick up the bowl"]


@pytest.fixture
def intake(start_node):
    process = start_node("vla_operator.instruction_node")
    process.wait_for("listening")
    yield process
    process.kill()


def graph(bench, state: int):
    """Return a wait during which policy and controller report, the controller in `state`."""

    def wait(condition) -> None:
        def turn() -> bool:
            sequence = max((message.sequence for message in bench.received[INSTRUCTION]), default=0)
            bench.send(POLICY, PolicyStatus(instruction_sequence=sequence), 1)
            bench.send(CONTROLLER, ControllerStatus(state=state, instruction_sequence=sequence), 1)
            return condition()

        bench.spin_until(turn)

    return wait


def test_it_is_given_once_and_a_killed_intake_gives_nothing_again(intake, bench, start_node):
    bench.listen(Instruction, INSTRUCTION, 10)
    job = subprocess.Popen(FIRST, stdout=subprocess.PIPE, text=True)
    bench.spin(1.5)
    assert job.poll() is None  # no graph yet
    assert not bench.received[INSTRUCTION]
    graph(bench, ControllerStatus.STATE_HOLDING)(lambda: job.poll() is not None)
    assert job.returncode == 0
    bench.spin_until(lambda: bench.received[INSTRUCTION])
    (message,) = bench.received[INSTRUCTION]
    assert (message.text, message.kind) == ("pick up the bowl", Instruction.KIND_TASK)
    intake.kill()
    again = start_node("vla_operator.instruction_node")
    again.wait_for("listening")
    bench.spin_until(lambda: bench.node.count_publishers(INSTRUCTION) > 0)
    bench.spin(2.0)
    assert len(bench.received[INSTRUCTION]) == 1
    again.kill()


def test_a_latched_emergency_stop_withholds_it(intake, bench):
    bench.listen(Instruction, INSTRUCTION, 10)
    job = subprocess.Popen(FIRST, stdout=subprocess.PIPE, text=True)
    graph(bench, ControllerStatus.STATE_ESTOPPED)(lambda: job.poll() is not None)
    assert job.returncode == 0
    assert "emergency stop is latched" in job.stdout.read()
    assert not bench.received[INSTRUCTION]
