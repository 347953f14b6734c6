# SPDX-License-Identifier: Apache-2.0
"""The policy node as a process of its own, over real DDS, with a replayed policy."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.node
rclpy = pytest.importorskip("rclpy")
messages = pytest.importorskip("vla_msgs.msg")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from vla_policy.policy import ActionChunk, ActionMode, ActionStep, DeltaReference  # noqa: E402
from vla_policy.recording import FORMAT, chunk_to_dict  # noqa: E402

from vla_msgs.action import ExecuteInstruction  # noqa: E402

STATUS = messages.PolicyStatus


def write_recording(path: Path, long: int, short: int) -> None:
    """Write an episode "long" of `long` chunks and one "short" of `short` chunks, told apart by their translation."""
    lines = [{"format": FORMAT, "policy": "test"}]
    for name, count, x in (("long", long, 0.01), ("other", long, 0.03), ("short", short, 0.02)):
        lines.append({"instruction": name})
        step = ActionStep(translation=np.array([x, 0.0, 0.0]), gripper=1.0)
        chunk = ActionChunk(0.0, ActionMode.EE_DELTA, DeltaReference.OBSERVED, 0.2, (step, step))
        lines += [chunk_to_dict(chunk)] * count
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def start(*parameters: str) -> subprocess.Popen[str]:
    arguments = [item for parameter in parameters for item in ("-p", parameter)]
    return subprocess.Popen(
        [sys.executable, "-m", "vla_policy.policy_node", "--ros-args", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def end(process: subprocess.Popen[str], sign: int = signal.SIGINT) -> tuple[int, str]:
    process.send_signal(sign)
    output, _ = process.communicate(timeout=15)
    return process.returncode, output


class Robot(Node):
    """What stands around the policy node: a camera, an operator, a listener."""

    def __init__(self) -> None:
        super().__init__("around_policy_node")
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.chunks: list[messages.ActionChunk] = []
        self.statuses: list[messages.PolicyStatus] = []
        self.diagnostics: list[DiagnosticArray] = []
        self.instructions: list[messages.Instruction] = []
        self.seeing, self.spoil, self.count = True, lambda msg: msg, 0
        self._observations = self.create_publisher(messages.Observation, "/vla/observation", best_effort)
        self._tell = self.create_publisher(messages.Instruction, "/vla/instruction", latched)
        self.create_subscription(messages.ActionChunk, "/vla/action_chunk", self.chunks.append, 50)
        self.create_subscription(messages.PolicyStatus, "/vla/policy_status", self.statuses.append, 50)
        self.create_subscription(messages.Instruction, "/vla/instruction", self.instructions.append, 10)
        self.create_subscription(DiagnosticArray, "/diagnostics", self.diagnostics.append, 10)
        self.client = ActionClient(self, ExecuteInstruction, "/vla/execute_instruction")
        self.create_timer(0.05, self._see)

    def _see(self) -> None:
        if not self.seeing:
            return
        msg = messages.Observation(base_frame="base", ee_pose_valid=True, joint_names=["j1"], joint_position=[0.1])
        msg.header.stamp = self.get_clock().now().to_msg()
        msg.image.height, msg.image.width, msg.image.step, msg.image.encoding = 8, 10, 30, "rgb8"
        msg.image.data = bytes(240)
        msg.ee_pose.position.x = 0.5
        self._observations.publish(self.spoil(msg))

    def tell(self, text: str, kind: int = 0) -> str:
        self.count += 1
        msg = messages.Instruction(id=f"test-{self.count}", text=text, kind=kind)
        msg.header.stamp = self.get_clock().now().to_msg()
        self._tell.publish(msg)
        return msg.id

    def spin(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and not until():
            rclpy.spin_once(self, timeout_sec=0.02)
        return until()

    def reaches(self, state: int, instruction_id: str | None = None, seconds: float = 5.0) -> messages.PolicyStatus:
        def there() -> bool:
            last = self.statuses[-1] if self.statuses else None
            return last is not None and last.state == state and instruction_id in (None, last.instruction_id)

        assert self.spin(seconds, there), f"state {state} not reached; last: {self.statuses[-1:]}"
        return self.statuses[-1]

    def goal(self, text: str, timeout: float = 0.0):
        assert self.client.wait_for_server(5.0)
        accepted = self.client.send_goal_async(ExecuteInstruction.Goal(text=text, timeout=timeout))
        assert self.spin(5.0, accepted.done)
        return accepted.result(), accepted.result().get_result_async()

    def result(self, future, seconds: float = 8.0) -> ExecuteInstruction.Result:
        assert self.spin(seconds, future.done), "the goal did not end"
        return future.result().result


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    path = tmp_path_factory.mktemp("recording") / "recording.jsonl"
    write_recording(path, long=500, short=3)
    process = start("policy:=replay", f"checkpoint:={path}", "rate:=5.0")
    rclpy.init()
    node = Robot()
    assert node.spin(20.0, lambda: bool(node.statuses)), f"no status; exit {process.poll()}"
    yield node
    node.destroy_node()
    rclpy.try_shutdown()
    code, output = end(process)
    assert code == 0, output
    assert "Traceback" not in output


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> None:
    """Begin every test stopped, with a working camera and empty lists."""
    if "robot" not in request.fixturenames:
        return
    robot: Robot = request.getfixturevalue("robot")
    robot.seeing, robot.spoil = True, lambda msg: msg
    robot.reaches(STATUS.STATE_STOPPED, robot.tell("stop", kind=messages.Instruction.KIND_STOP))
    for seen in (robot.chunks, robot.diagnostics, robot.instructions):
        seen.clear()


def test_chunks_come_at_the_rate_and_carry_what_the_controller_needs(robot: Robot) -> None:
    task = robot.tell("long")
    robot.reaches(STATUS.STATE_RUNNING, task)
    robot.chunks.clear()
    robot.spin(4.0)
    assert len(robot.chunks) == pytest.approx(20, abs=3)
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
    assert status.rate == pytest.approx(5.0, rel=0.2)
    assert status.observation_age < 0.5
    assert status.observations_skipped > 20  # a 20 Hz camera, a 5 Hz policy
    assert math.isnan(status.token_confidence)
    values = {item.key: item.value for item in robot.diagnostics[-1].status[0].values}
    assert {"rate_hz", "inference_ms", "observation_age_ms", "observations_skipped"} <= set(values)
    assert len(robot.diagnostics) == pytest.approx(4, abs=1)


def test_stop_stops_and_a_new_task_begins_again(robot: Robot) -> None:
    robot.reaches(STATUS.STATE_RUNNING, robot.tell("long"))
    robot.reaches(STATUS.STATE_STOPPED, robot.tell("stop", kind=messages.Instruction.KIND_STOP))
    robot.chunks.clear()
    robot.spin(1.0)
    assert not robot.chunks
    task = robot.tell("long")
    robot.reaches(STATUS.STATE_RUNNING, task)
    assert robot.chunks[-1].instruction_id == task


def test_a_new_instruction_mid_run_takes_over_at_once(robot: Robot) -> None:
    first = robot.tell("long")
    assert robot.spin(5.0, lambda: len(robot.chunks) >= 3)
    second, told = robot.tell("other"), time.monotonic()
    assert robot.spin(2.0, lambda: robot.chunks[-1].instruction_id == second)
    assert time.monotonic() - told < 0.5
    robot.spin(1.0)
    ids = [chunk.instruction_id for chunk in robot.chunks]
    assert set(ids) == {first, second}
    assert ids == sorted(ids, key=(first, second).index)  # never back to the old one
    assert {chunk.steps[0].translation.x for chunk in robot.chunks if chunk.instruction_id == second} == {0.03}


def test_a_frozen_camera_is_noticed_and_forgiven(robot: Robot) -> None:
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
    msg.image.encoding = "bgr8"
    return msg


def truncated(msg: messages.Observation) -> messages.Observation:
    msg.image.data = bytes(100)
    return msg


def empty(msg: messages.Observation) -> messages.Observation:
    msg.image.height, msg.image.width, msg.image.step, msg.image.data = 0, 0, 0, b""
    return msg


def not_a_number(msg: messages.Observation) -> messages.Observation:
    msg.joint_position = [math.nan]
    return msg


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(no_pose, "tool pose"), (wrong_encoding, "rgb8"), (truncated, "240"), (empty, "1 x 1"), (not_a_number, "finite")],
)
def test_unusable_observations_are_named_and_forgiven(
    robot: Robot, spoil: Callable[[messages.Observation], messages.Observation], reason: str
) -> None:
    robot.spoil = spoil
    robot.spin(0.2)
    task = robot.tell("long")
    assert robot.spin(5.0, lambda: reason in robot.statuses[-1].reason), robot.statuses[-1]
    assert robot.statuses[-1].state == STATUS.STATE_WAITING
    robot.spoil = lambda msg: msg
    robot.reaches(STATUS.STATE_RUNNING, task)


def test_the_end_of_the_recording_is_the_end_of_the_task(robot: Robot) -> None:
    task = robot.tell("short")
    status = robot.reaches(STATUS.STATE_DONE, task)
    assert "finished" in status.reason
    assert [chunk.steps[0].terminate for chunk in robot.chunks] == [False] * 3 + [True] * 2
    robot.spin(0.7)
    assert len(robot.chunks) == 5


@pytest.mark.parametrize(("text", "reason"), [("juggle", "valid are 'long'"), ("x" * 10240, "1 to 512"), ("", "512")])
def test_an_instruction_that_cannot_be_served_is_an_error_and_the_next_one_works(
    robot: Robot, text: str, reason: str
) -> None:
    assert reason in robot.reaches(STATUS.STATE_ERROR, robot.tell(text)).reason
    robot.reaches(STATUS.STATE_RUNNING, robot.tell("long"))


def test_a_goal_follows_its_instruction_to_the_end(robot: Robot) -> None:
    handle, future = robot.goal("short")
    assert handle.accepted
    result = robot.result(future)
    assert result.finished
    assert result.reason == "finished"
    assert result.seconds == pytest.approx(1.0, abs=0.8)
    assert [instruction.text for instruction in robot.instructions] == ["short"]  # so that the controller learns its id
    assert {chunk.instruction_id for chunk in robot.chunks} == {robot.instructions[0].id}


def test_cancelling_a_goal_stops_the_robot(robot: Robot) -> None:
    handle, future = robot.goal("long")
    robot.spin(0.5)
    handle.cancel_goal_async()
    assert robot.result(future).reason == "cancelled"
    robot.reaches(STATUS.STATE_STOPPED)
    assert robot.instructions[-1].kind == messages.Instruction.KIND_STOP


def test_a_goal_ends_when_its_time_is_up(robot: Robot) -> None:
    _, future = robot.goal("long", timeout=0.6)
    result = robot.result(future)
    assert result.reason == "timeout"
    assert not result.finished
    robot.reaches(STATUS.STATE_STOPPED)


def test_a_newer_goal_or_instruction_supersedes_a_goal(robot: Robot) -> None:
    _, first = robot.goal("long")
    _, second = robot.goal("other")
    assert robot.result(first).reason == "superseded"
    robot.tell("long")
    assert robot.result(second).reason == "superseded"
    robot.reaches(STATUS.STATE_RUNNING)


def test_a_stop_ends_a_goal(robot: Robot) -> None:
    _, future = robot.goal("long")
    robot.spin(0.3)
    robot.tell("stop", kind=messages.Instruction.KIND_STOP)
    assert robot.result(future).reason == "stopped"


@pytest.mark.parametrize(
    ("text", "timeout", "reason"),
    [("", 0.0, "1 to 512"), ("y" * 10240, 0.0, "1 to 512"), ("long", -1.0, "timeout"), ("juggle", 0.0, "'long'")],
)
def test_a_bad_goal_is_rejected_with_a_reason(robot: Robot, text: str, timeout: float, reason: str) -> None:
    _, future = robot.goal(text, timeout)
    result = robot.result(future)
    assert result.reason.startswith("rejected: ")
    assert reason in result.reason


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (("policy:=replay", "checkpoint:=/nowhere/x.jsonl"), "/nowhere/x.jsonl cannot be read"),
        (("policy:=replay",), "needs a recording"),
        (("policy:=telepathy",), "policy 'telepathy' is unknown; valid are"),
        (("policy:=replay", "rate:=0.0"), "rate"),
        (("policy:=replay", "rate:=fast"), "rate"),
    ],
)
def test_what_cannot_be_used_ends_the_node_with_one_clear_line(parameters: tuple[str, ...], line: str) -> None:
    process = start(*parameters)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 2, output
    assert line in output
    assert "Traceback" not in output
    assert len(output.strip().splitlines()) == 1, output


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_cleanly(tmp_path: Path, sign: int) -> None:
    write_recording(tmp_path / "a.jsonl", long=1, short=1)
    process = start("policy:=replay", f"checkpoint:={tmp_path / 'a.jsonl'}")
    assert process.stdout is not None
    assert "ready" in process.stdout.readline()
    code, output = end(process, sign)
    assert code == 0, output
    assert "Traceback" not in output
