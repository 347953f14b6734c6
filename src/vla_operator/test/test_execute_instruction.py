# SPDX-License-Identifier: Apache-2.0
"""The action of instruction_node over DDS; the test stands in for the policy node."""

import signal
import time

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from builtin_interfaces.msg import Duration
from rclpy.action import ActionClient
from std_msgs.msg import String

from vla_msgs.action import ExecuteInstruction
from vla_msgs.msg import Instruction, PolicyStatus

pytestmark = pytest.mark.node
GoalStatus = pytest.importorskip("action_msgs.msg").GoalStatus
RESULT = ExecuteInstruction.Result
INSTRUCTION, TEXT = "/vla/instruction", "/vla/text_command"
PATIENCE_S = 40.0


class Policy:
    """Reports as policy_node does, at 20 Hz; `state` and `reason` are what it reports of its instruction."""

    def __init__(self, bench) -> None:
        self.bench, self.node = bench, bench.node
        self.heard: list[Instruction] = []
        self.feedback: list[ExecuteInstruction.Feedback] = []
        self.state, self.reason, self.chunks, self.alive, self.highest = PolicyStatus.STATE_RUNNING, "", 3, True, 0
        self._statuses = self.node.create_publisher(PolicyStatus, "/vla/policy_status", 10)
        self.node.create_subscription(Instruction, INSTRUCTION, self._take, 10)
        self.node.create_timer(0.05, self._report)
        self.client = ActionClient(self.node, ExecuteInstruction, "/vla/execute_instruction")

    def _take(self, message: Instruction) -> None:
        self.heard.append(message)
        self.highest = max(self.highest, message.sequence)

    def _report(self) -> None:
        if not self.alive:
            return
        latest = self.heard[-1] if self.heard else Instruction(kind=Instruction.KIND_STOP)
        stopped = latest.kind == Instruction.KIND_STOP
        self._statuses.publish(
            PolicyStatus(
                state=PolicyStatus.STATE_STOPPED if stopped else self.state,
                reason=self.reason,
                instruction_id=latest.id,
                instruction_sequence=self.highest,
                instruction_chunks=self.chunks,
            )
        )

    def calm(self) -> None:
        self.state, self.reason, self.chunks, self.alive = PolicyStatus.STATE_RUNNING, "", 3, True
        self.bench.spin(0.3)
        self.heard.clear()
        self.feedback.clear()

    def goal(self, text: str, timeout: float = 0.0):
        self.bench.spin_until(self.client.server_is_ready)
        whole = int(timeout // 1)
        goal = ExecuteInstruction.Goal(text=text, timeout=Duration(sec=whole, nanosec=round((timeout - whole) * 1e9)))
        accepted = self.client.send_goal_async(goal, lambda message: self.feedback.append(message.feedback))
        self.bench.spin_until(accepted.done)
        assert accepted.result().accepted
        return accepted.result(), accepted.result().get_result_async()

    def end(self, future):
        self.bench.spin_until(future.done)
        return future.result().result, future.result().status

    def gave(self, text: str) -> None:
        self.bench.spin_until(lambda: self.heard and self.heard[-1].text == text)


@pytest.fixture(scope="module")
def node(start_node):
    process = start_node("vla_operator.instruction_node", policy_timeout=2.0)
    process.wait_for("listening")
    return process


@pytest.fixture(scope="module")
def policy_node(node, module_bench):
    made = Policy(module_bench)
    module_bench.spin_until(lambda: module_bench.node.count_publishers(INSTRUCTION) > 0)
    return made


@pytest.fixture
def policy(policy_node, node):
    policy_node.calm()
    yield policy_node
    assert node.process.poll() is None, node.output
    assert "Traceback" not in node.output


def test_a_goal_follows_its_instruction_to_the_end(policy):
    _, future = policy.goal("pick up  the red block")
    policy.gave("pick up the red block")
    assert policy.heard[-1].source == Instruction.SOURCE_PLANNER
    policy.bench.spin_until(lambda: any(item.chunks == 3 for item in policy.feedback))
    policy.state = PolicyStatus.STATE_DONE
    result, status = policy.end(future)
    assert (result.code, status) == (RESULT.FINISHED, GoalStatus.STATUS_SUCCEEDED)
    assert result.elapsed.sec < 30
    assert result.elapsed.nanosec > 0
    assert len(policy.heard) == 1  # no stop


def test_cancelling_a_goal_stops_the_robot(policy):
    handle, future = policy.goal("long")
    policy.gave("long")
    handle.cancel_goal_async()
    result, status = policy.end(future)
    assert (result.code, status) == (RESULT.CANCELLED, GoalStatus.STATUS_CANCELED)
    policy.bench.spin_until(lambda: policy.heard[-1].kind == Instruction.KIND_STOP)


def test_a_goal_that_is_done_when_it_is_cancelled_has_succeeded(policy):
    handle, future = policy.goal("long")
    policy.gave("long")
    policy.state = PolicyStatus.STATE_DONE
    handle.cancel_goal_async()
    result, status = policy.end(future)
    expected = {
        RESULT.FINISHED: GoalStatus.STATUS_SUCCEEDED,  # whichever came first, code and status agree
        RESULT.CANCELLED: GoalStatus.STATUS_CANCELED,
    }
    assert status == expected[result.code]


def test_a_goal_ends_when_its_time_is_up(policy):
    _, future = policy.goal("long", timeout=0.6)
    result, status = policy.end(future)
    assert (result.code, status) == (RESULT.TIMEOUT, GoalStatus.STATUS_ABORTED)
    policy.bench.spin_until(lambda: policy.heard[-1].kind == Instruction.KIND_STOP)


def test_a_newer_goal_or_text_supersedes_a_goal(policy):
    _, first = policy.goal("long")
    _, second = policy.goal("other")
    assert policy.end(first)[0].code == RESULT.SUPERSEDED
    policy.bench.send(TEXT, String(data="pick up the bowl"))
    assert policy.end(second)[0].code == RESULT.SUPERSEDED
    policy.gave("pick up the bowl")


@pytest.mark.parametrize("text", ["stop", " Please STOP, robot! ", "no, halt", "止まれ"])
def test_a_goal_that_means_stop_stops_and_ends_the_one_before(policy, text):
    _, running = policy.goal("long")
    policy.gave("long")
    _, future = policy.goal(text, timeout=-1.0)  # before anything is refused
    result, status = policy.end(future)
    assert (result.code, status) == (RESULT.STOPPED, GoalStatus.STATUS_SUCCEEDED)
    result, status = policy.end(running)
    assert (result.code, status) == (RESULT.STOPPED, GoalStatus.STATUS_ABORTED)
    policy.bench.spin_until(lambda: policy.heard[-1].kind == Instruction.KIND_STOP)


@pytest.mark.parametrize(
    ("text", "timeout", "said"),
    [("", 0.0, "empty"), ("y" * 10240, 0.0, "1 to 512"), ("long", -1.0, "timeout is -1"), ("a \ufffd", 0.0, "UTF-8")],
)
def test_a_bad_goal_is_rejected_with_a_reason_and_gives_nothing(policy, text, timeout, said):
    _, future = policy.goal(text, timeout)
    result, status = policy.end(future)
    assert (result.code, status) == (RESULT.REJECTED, GoalStatus.STATUS_ABORTED)
    assert said in result.text
    assert not policy.heard


def test_what_the_policy_cannot_serve_is_rejected_and_what_breaks_it_has_failed(policy):
    for chunks, code in ((0, RESULT.REJECTED), (5, RESULT.FAILED)):
        policy.state, policy.reason, policy.chunks = PolicyStatus.STATE_ERROR, "valid are 'long'", chunks
        _, future = policy.goal("juggle")
        result, _ = policy.end(future)
        assert (result.code, result.text) == (code, "valid are 'long'")


def test_without_a_policy_a_goal_ends_and_the_robot_is_halted(policy):
    policy.alive = False
    _, future = policy.goal("long")
    result, _ = policy.end(future)
    assert result.code == RESULT.NO_POLICY
    assert "has not taken the instruction" in result.text
    policy.bench.spin_until(lambda: policy.heard[-1].kind == Instruction.KIND_STOP)


def test_sequences_go_on_after_a_kill(policy, start_node, node):
    policy.bench.send(TEXT, String(data="pick up the bowl"))
    policy.gave("pick up the bowl")
    before = policy.heard[-1].sequence
    assert abs(before - time.time_ns()) < 60e9
    other = start_node("vla_operator.instruction_node", instruction_topic="/vla/instruction")
    other.wait_for("listening")  # a second life, beside the first: both write one file
    count = len(policy.heard)
    policy.bench.spin_until(lambda: policy.bench.node.count_subscribers(TEXT) > 1)
    policy.bench.spin(0.5)
    policy.bench.send(TEXT, String(data="pick up the red block"))
    policy.bench.spin_until(lambda: len(policy.heard) >= count + 1)
    policy.bench.spin(1.0)
    assert all(message.sequence > before for message in policy.heard[count:])
    assert other.stop(signal.SIGTERM) == 0
