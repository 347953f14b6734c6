# SPDX-License-Identifier: Apache-2.0
"""Who may move the arm, over DDS: order of instructions, restarts, the intake's death, the emergency stop's latch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from std_msgs.msg import String

from vla_msgs.msg import Instruction

pytestmark = pytest.mark.node

STEPS = [(0.0, 0.04, 0.0)] * 5
LEASE = "operator_timeout:=1.0"


def kill(controller: object) -> None:
    controller.process.send_signal(signal.SIGKILL)
    controller.process.wait()


def refused(arm: object, name: str) -> bool:
    return any(refusal.name == name for refusal in arm.statuses[-1].refusals)


def rests(arm: object, seconds: float = 1.0) -> bool:
    """Send chunks of instruction "a" for a while and return whether the arm stayed where it was."""
    before, end = arm.q.copy(), time.monotonic() + seconds
    while time.monotonic() < end:
        arm.chunk(*STEPS)
        time.sleep(0.2)
    return bool(abs(arm.q - before).max() < 1e-3)


def moves(arm: object) -> None:
    """Send chunks of instruction "a" until the arm moves."""
    deadline = time.monotonic() + 20.0
    while not (arm.commands and arm.speed() > 0.05):
        assert time.monotonic() < deadline, arm.statuses[-1]
        arm.chunk(*STEPS)
        time.sleep(0.1)


def publish(arm: object, sequence: int, kind: int = Instruction.KIND_TASK, name: str = "a") -> None:
    arm.wait(lambda: arm._instructions.get_subscription_count() > 0)
    arm._instructions.publish(Instruction(id=name, text=name, kind=kind, sequence=sequence))
    time.sleep(0.2)


def test_an_older_task_does_not_lift_a_stop_and_unknown_kinds_are_stops(arm, start: Callable) -> None:
    start()
    arm.wait_for_state(1)
    publish(arm, 5)
    moves(arm)
    publish(arm, 6, Instruction.KIND_STOP, "s")
    arm.wait(lambda: arm.speed() == 0.0)
    for sequence in (0, 5, 6):
        publish(arm, sequence)
        arm.wait(lambda: refused(arm, "instruction_not_newer"))
        assert rests(arm)
    publish(arm, 7)
    moves(arm)
    publish(arm, 8, 77, "what a newer intake knows")
    arm.wait(lambda: arm.speed() == 0.0)
    assert rests(arm)
    publish(arm, 9)
    moves(arm)
    publish(arm, 3, Instruction.KIND_STOP, "an old stop")  # obeyed all the same
    arm.wait(lambda: arm.speed() == 0.0)
    assert rests(arm)


def test_a_latched_instruction_moves_no_restarted_controller(arm, start: Callable) -> None:
    controller = start()
    arm.wait_for_state(1)
    arm.instruct("a")  # stays latched at the publisher
    moves(arm)
    kill(controller)
    arm.commands.clear()
    start()
    arm.wait(lambda: len(arm.commands) > 3)
    assert rests(arm, 2.0)
    assert refused(arm, "wrong_instruction")
    arm.instruct("a")
    moves(arm)


def test_an_emergency_stop_outlives_the_controller(arm, start: Callable) -> None:
    controller = start()
    arm.wait_for_state(1)
    arm.instruct("a")
    moves(arm)
    assert arm.call("estop").success
    kill(controller)
    arm.statuses.clear()
    again = start()
    arm.wait_for_state(4)
    assert "the emergency stop of 20" in again.output
    assert "is still latched" in again.output
    arm.instruct("a")
    assert rests(arm)
    assert refused(arm, "estopped")
    assert not arm.call("home").success
    assert arm.call("reset_estop").success
    assert rests(arm)
    arm.instruct("a")
    moves(arm)
    kill(again)
    arm.statuses.clear()
    start()
    arm.wait_for_state(1)


@pytest.fixture
def intake(tmp_path) -> Iterator[Callable[[], subprocess.Popen]]:
    started: list[subprocess.Popen] = []

    def make() -> subprocess.Popen:
        command = [sys.executable, "-m", "vla_operator.instruction_node"]
        started.append(subprocess.Popen(command, env={**os.environ, "XDG_STATE_HOME": str(tmp_path)}))
        return started[-1]

    yield make
    for process in started:
        process.kill()
        process.wait()


class Operator:
    """Says sentences through the intake and knows the instruction that came of each."""

    def __init__(self, arm: object) -> None:
        self.arm, self.heard = arm, []
        self._text = arm.node.create_publisher(String, "/vla/text_command", 10)
        arm.node.create_subscription(Instruction, "/vla/instruction", self.heard.append, 10)

    def say(self, text: str) -> str:
        count = len(self.heard)
        self.arm.wait(lambda: self._text.get_subscription_count() > 0)
        deadline = time.monotonic() + 30.0
        while len(self.heard) == count:
            assert time.monotonic() < deadline
            self._text.publish(String(data=text))
            time.sleep(0.5)
        return self.heard[-1].id

    def start(self, text: str) -> str:
        """Say a task until the controller has heard it too, which may have met the intake later, and the arm moves."""
        deadline = time.monotonic() + 40.0
        while True:
            task, until = self.say(text), time.monotonic() + 3.0
            while time.monotonic() < until:
                self.arm.chunk(*STEPS, instruction=task)
                time.sleep(0.1)
                if self.arm.speed() > 0.05:
                    return task
            assert time.monotonic() < deadline, self.arm.statuses[-1]


def stays(arm: object, instruction: str) -> None:
    arm.wait(lambda: arm.speed() == 0.0)
    before, end = arm.q.copy(), time.monotonic() + 1.0
    while time.monotonic() < end:
        arm.chunk(*STEPS, instruction=instruction)
        time.sleep(0.1)
    assert abs(arm.q - before).max() < 1e-3  # chunks would move it by centimetres; the end of the way home may be left


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_arm_halts_when_the_intake_goes_and_waits_for_a_new_word(arm, start, intake, number: int) -> None:
    start(LEASE)
    process = intake()
    operator = Operator(arm)
    arm.wait_for_state(1)
    task = operator.start("pick up the red block")
    process.send_signal(number)
    gone = time.monotonic()
    while "operator_gone" not in arm.statuses[-1].reason:  # a count may be of the time before its first heartbeat
        assert time.monotonic() - gone < 20.0
        arm.chunk(*STEPS, instruction=task)
        time.sleep(0.1)
    stays(arm, task)
    assert "operator_gone" in arm.statuses[-1].reason
    assert not arm.call("home").success
    arm.wait(
        lambda: any("operator_gone" in s.message and s.level == b"\x02" for d in arm.diagnostics[-3:] for s in d.status)
    )
    if number == signal.SIGSTOP:
        process.send_signal(signal.SIGCONT)
    else:
        intake()
    arm.wait(lambda: arm.call("home").success)  # it is there again; nothing moves but what is asked for
    arm.wait_for_state(1)
    stays(arm, task)
    operator.start("pick up the green block")
    operator.say("no, stop")
    stays(arm, operator.heard[-2].id)


def test_without_an_intake_nothing_moves_where_one_is_required(arm, start: Callable) -> None:
    start(LEASE)
    arm.wait(lambda: len(arm.statuses) > 5 and arm.statuses[-1].state == 1)
    assert not arm.call("home").success
    arm.wait(lambda: refused(arm, "operator_gone"))
