# SPDX-License-Identifier: Apache-2.0
"""The service /vla/ask of the policy node, over real DDS, with a policy that answers."""

import subprocess
import sys
import time
from typing import Any

import pytest

pytestmark = pytest.mark.node
messages = pytest.importorskip("vla_msgs.msg")

STATUS = messages.PolicyStatus
ASK = [sys.executable, "-c", "import sys; from vla_demo.ros.ask import main; sys.exit(main())", "--timeout", "20"]


def test_a_question_is_answered_from_the_latest_picture_without_a_task(talking: Any) -> None:
    reply = talking.ask("  which\n size? ")
    assert (reply.success, reply.answer, reply.message) == (True, "10 x 8", "")
    assert reply.confidence == pytest.approx(0.8)
    assert talking.ask("which thread?").answer == "inference"
    assert float(talking.ask("how old?").answer) < 0.5
    assert not talking.chunks


def test_a_task_goes_on_beside_questions(talking: Any) -> None:
    task = talking.tell("act")
    talking.reaches(STATUS.STATE_RUNNING, task)
    resets = talking.ask("how many resets?").answer
    futures = [talking.ask_later(f"number {k}") for k in range(6)]
    assert talking.spin(30.0, lambda: all(future.done() for future in futures))
    assert [future.result().answer for future in futures] == [f"number {k}" for k in range(6)]
    talking.chunks.clear()
    assert talking.spin(30.0, lambda: len(talking.chunks) >= 3)
    assert {chunk.instruction_id for chunk in talking.chunks} == {task}
    assert talking.ask("how many resets?").answer == resets


def test_while_the_model_answers_the_node_hears_a_stop(talking: Any) -> None:
    talking.reaches(STATUS.STATE_RUNNING, talking.tell("act"))
    future, begun = talking.ask_later("slow one"), time.monotonic()
    talking.spin(0.3)
    stop = talking.tell("stop", kind=messages.Instruction.KIND_STOP)
    talking.reaches(STATUS.STATE_STOPPED, stop)
    assert not future.done() or time.monotonic() - begun > 1.5  # the stop did not wait for the answer
    assert talking.spin(30.0, future.done)
    assert future.result().answer == "slow one"


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("", "1 to 512"),
        ("x" * 10240, "1 to 512"),
        ("a \ufffd?", "UTF-8"),
        ("nothing?", "policy talking answered nothing"),
        ("break?", "asking failed: RuntimeError: boom"),
    ],
)
def test_what_cannot_be_answered_is_said_and_the_next_question_is_answered(
    talking: Any, question: str, reason: str
) -> None:
    reply = talking.ask(question)
    assert not reply.success
    assert reason in reply.message
    assert reply.answer == ""
    assert talking.ask("which size?").success


def test_a_frozen_camera_is_no_answer(talking: Any) -> None:
    talking.seeing = False
    talking.spin(0.8)
    reply = talking.ask("which size?")
    assert not reply.success
    assert "s old; valid is at most 0.5 s" in reply.message


def test_too_many_questions_are_refused_and_none_is_lost(talking: Any) -> None:
    futures = [talking.ask_later("slow first")]
    for batch in range(4):  # DDS holds ten requests at a time
        futures += [talking.ask_later(f"number {3 * batch + k}") for k in range(3)]
        talking.spin(0.2)
    assert talking.spin(30.0, lambda: all(future.done() for future in futures))
    replies = [future.result() for future in futures]
    refused = [reply for reply in replies if not reply.success]
    assert 3 <= len(refused) <= 5  # of twelve, eight wait while the first is answered
    assert all("8 questions wait" in reply.message for reply in refused)
    assert all(reply.answer for reply in replies if reply.success)


def test_vla_ask_prints_the_answer_or_the_reason(talking: Any) -> None:
    pytest.importorskip("vla_demo")

    def ask(*words: str) -> tuple[int, str, str]:
        process = subprocess.Popen([*ASK, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert talking.spin(60.0, lambda: process.poll() is not None)  # the camera has to go on meanwhile
        output, errors = process.communicate()
        return process.returncode, output, errors

    assert ask("which", "size?") == (0, "10 x 8\n", "")
    code, output, errors = ask("nothing?")
    assert (code, output) == (1, "")
    assert errors == "error: policy talking answered nothing\n"


def test_somebody_who_leaves_before_the_answer_does_no_harm(talking: Any) -> None:
    code = (
        "import os, rclpy; from vla_msgs.srv import Ask; rclpy.init(); node = rclpy.create_node('leaves');"
        "client = node.create_client(Ask, '/vla/ask'); assert client.wait_for_service(20.0);"
        "client.call_async(Ask.Request(question='slow one')); rclpy.spin_once(node, timeout_sec=0.5); os._exit(0)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
    talking.spin(3.0)
    assert talking.ask("which size?").success
