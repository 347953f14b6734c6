# SPDX-License-Identifier: Apache-2.0
"""The policy node as a process of its own, over real DDS, with a replayed policy."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.node
messages = pytest.importorskip("vla_msgs.msg")

from sensor_msgs.msg import Image  # noqa: E402

STATUS = messages.PolicyStatus


def test_chunks_come_at_the_rate_and_carry_what_the_controller_needs(robot: Any) -> None:
    task = robot.tell("long")
    robot.reaches(STATUS.STATE_RUNNING, task)
    robot.chunks.clear()
    robot.spin(4.0)
    assert 10 <= len(robot.chunks) <= 23  # never faster; slower where the machine is loaded
    sequences = [chunk.sequence for chunk in robot.chunks]
    assert sequences == sorted(set(sequences))
    stamps = [chunk.header.stamp.sec + chunk.header.stamp.nanosec * 1e-9 for chunk in robot.chunks]
    assert np.median(np.diff(stamps)) == pytest.approx(0.2, abs=0.03)
    chunk = robot.chunks[-1]
    assert (chunk.instruction_id, chunk.header.frame_id) == (task, "base")
    assert (chunk.mode, chunk.period, len(chunk.steps)) == (0, 0.2, 2)
    assert (chunk.steps[0].translation.x, chunk.observed_pose.position.x) == (0.01, 0.5)
    status = robot.statuses[-1]
    assert (status.policy, status.instruction, status.reason) == ("replay", "long", "")
    assert 2.5 < status.rate < 6.0
    assert status.observation_age < 1.0
    assert status.observations_skipped > 10  # a 20 Hz camera, a 5 Hz policy
    assert math.isnan(status.token_confidence)
    values = {item.key: item.value for item in robot.diagnostics[-1].status[0].values}
    assert {"rate_hz", "inference_ms", "observation_age_ms", "observations_skipped"} <= set(values)
    assert len(robot.diagnostics) == pytest.approx(4, abs=2)


def test_stop_stops_and_a_new_task_begins_again(robot: Any) -> None:
    robot.reaches(STATUS.STATE_RUNNING, robot.tell("long"))
    robot.reaches(STATUS.STATE_STOPPED, robot.tell("stop", kind=messages.Instruction.KIND_STOP))
    robot.spin(0.2)  # what was sent before
    robot.chunks.clear()
    robot.spin(1.0)
    assert not robot.chunks
    task = robot.tell("long")
    robot.reaches(STATUS.STATE_RUNNING, task)
    assert robot.spin(5.0, lambda: robot.chunks and robot.chunks[-1].instruction_id == task)


def test_a_new_instruction_mid_run_takes_over_at_once(robot: Any) -> None:
    first = robot.tell("long")
    assert robot.spin(30.0, lambda: len(robot.chunks) >= 3)
    second, told = robot.tell("other"), time.monotonic()
    assert robot.spin(30.0, lambda: robot.chunks[-1].instruction_id == second)
    assert time.monotonic() - told < 2.0
    robot.spin(1.0)
    ids = [chunk.instruction_id for chunk in robot.chunks]
    assert set(ids) == {first, second}
    assert ids == sorted(ids, key=(first, second).index)  # never back to the old one
    assert {chunk.steps[0].translation.x for chunk in robot.chunks if chunk.instruction_id == second} == {0.03}


def test_a_frozen_camera_is_noticed_and_forgiven(robot: Any) -> None:
    task = robot.tell("long")
    robot.reaches(STATUS.STATE_RUNNING, task)
    robot.seeing = False
    status = robot.reaches(STATUS.STATE_WAITING, task)
    assert "s old; valid is at most 0.5 s" in status.reason
    robot.chunks.clear()
    robot.spin(0.7)
    assert not robot.chunks
    robot.seeing = True
    robot.reaches(STATUS.STATE_RUNNING, task)


def no_pose(msg: messages.Observation) -> messages.Observation:
    msg.ee_pose_valid = False
    return msg


def wrong_encoding(msg: messages.Observation) -> messages.Observation:
    msg.images[0].image.encoding = "bgr8"
    return msg


def truncated(msg: messages.Observation) -> messages.Observation:
    msg.images[0].image.data = bytes(100)
    return msg


def empty(msg: messages.Observation) -> messages.Observation:
    msg.images[0].image = Image(encoding="rgb8")
    return msg


def no_wrist(msg: messages.Observation) -> messages.Observation:
    msg.missing, msg.missing_reasons = ["wrist"], ["no image since 0.4 s"]
    return msg


def no_images(msg: messages.Observation) -> messages.Observation:
    msg.images = []
    return msg


def not_a_number(msg: messages.Observation) -> messages.Observation:
    msg.joint_position = [math.nan]
    return msg


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (no_pose, "tool pose"),
        (wrong_encoding, "rgb8"),
        (truncated, "240"),
        (empty, "1 x 1"),
        (no_wrist, "camera wrist: no image since 0.4 s"),
        (no_images, "at least the reference camera's"),
        (not_a_number, "finite"),
    ],
)
def test_unusable_observations_are_named_and_forgiven(
    robot: Any, spoil: Callable[[messages.Observation], messages.Observation], reason: str
) -> None:
    robot.spoil = spoil
    robot.spin(0.2)
    task = robot.tell("long")
    assert robot.spin(30.0, lambda: reason in robot.statuses[-1].reason), robot.statuses[-1]
    assert robot.statuses[-1].state == STATUS.STATE_WAITING
    robot.spoil = lambda msg: msg
    robot.reaches(STATUS.STATE_RUNNING, task)


def test_the_end_of_the_recording_is_the_end_of_the_task(robot: Any) -> None:
    task = robot.tell("short")
    status = robot.reaches(STATUS.STATE_DONE, task)
    assert "finished" in status.reason
    robot.spin(5.0, lambda: len(robot.chunks) >= 5)
    assert [chunk.steps[0].terminate for chunk in robot.chunks] == [False] * 3 + [True] * 2
    robot.spin(0.7)
    assert len(robot.chunks) == 5


@pytest.mark.parametrize(("text", "reason"), [("juggle", "valid are 'long'"), ("x" * 10240, "1 to 512"), ("", "512")])
def test_an_instruction_that_cannot_be_served_is_an_error_and_the_next_one_works(
    robot: Any, text: str, reason: str
) -> None:
    assert reason in robot.reaches(STATUS.STATE_ERROR, robot.tell(text)).reason
    robot.reaches(STATUS.STATE_RUNNING, robot.tell("long"))


def test_a_policy_that_cannot_answer_says_so(robot: Any) -> None:
    reply = robot.ask("what is on the table?")
    assert not reply.success
    assert reply.message == "policy replay cannot answer questions"
