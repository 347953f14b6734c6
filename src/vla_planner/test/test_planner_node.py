# SPDX-License-Identifier: Apache-2.0
"""The goal action over DDS; the test stands in for scene_node and instruction_node."""

import signal

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from rclpy.action import ActionClient, ActionServer, CancelResponse
from rclpy.task import Future
from std_msgs.msg import String

from vla_msgs.action import ExecuteGoal, ExecuteInstruction
from vla_msgs.msg import GoalStatus, GoalStep, Instruction, PerceivedObject, PerceivedScene

pytestmark = pytest.mark.node
RESULT = ExecuteGoal.Result


class Robot:
    """A table whose objects go where the instructions say, as soon as they are given, unless it is slow."""

    def __init__(self, bench) -> None:
        self.bench, self.node = bench, bench.node
        self.reset()
        self._scenes = self.node.create_publisher(PerceivedScene, "/vla/perceived_scene", 10)
        self.tick = Future()
        self.node.create_timer(0.1, self._publish)
        self._server = ActionServer(
            self.node,
            ExecuteInstruction,
            "/vla/execute_instruction",
            self._execute,
            cancel_callback=lambda goal: CancelResponse.ACCEPT,
        )
        self.client = ActionClient(self.node, ExecuteGoal, "/vla/execute_goal")
        bench.listen(GoalStatus, "/vla/goal_status")
        self.words = self.node.create_publisher(String, "/vla/goal_text", 10)
        self.instructions = self.node.create_publisher(Instruction, "/vla/instruction", 10)

    def reset(self) -> None:
        self.places = {"red block": (0.45, -0.05), "blue block": (0.55, 0.05), "bowl": (0.5, 0.3)}
        self.given: list[str] = []
        self.slow, self.cancelled = False, 0

    def _publish(self) -> None:
        tick, self.tick = self.tick, Future()
        tick.set_result(None)
        message = PerceivedScene(camera="front")
        for name, (x, y) in self.places.items():
            thing = PerceivedObject(name=name, confidence=0.9)
            thing.position.x, thing.position.y, thing.position.z = x, y, 0.02
            message.objects.append(thing)
        self._scenes.publish(message)

    async def _execute(self, goal) -> ExecuteInstruction.Result:
        text = goal.request.text
        self.given.append(text)
        while self.slow and not goal.is_cancel_requested:
            await self.tick
        if goal.is_cancel_requested:
            self.cancelled += 1
            goal.canceled()
            return ExecuteInstruction.Result(code=ExecuteInstruction.Result.CANCELLED, text="cancelled")
        name = next(name for name in self.places if name in text)
        if "bowl" in text:
            self.places[name] = self.places["bowl"]
        goal.succeed()
        return ExecuteInstruction.Result(code=ExecuteInstruction.Result.FINISHED, text="done")

    def goal(self, text: str):
        self.bench.spin_until(self.client.server_is_ready)
        sending = self.client.send_goal_async(ExecuteGoal.Goal(text=text))
        self.bench.spin_until(sending.done)
        assert sending.result().accepted
        return sending.result(), sending.result().get_result_async()

    def end(self, future) -> RESULT:
        self.bench.spin_until(future.done)
        return future.result().result

    def status(self) -> GoalStatus:
        return self.bench.received["/vla/goal_status"][-1]


@pytest.fixture(scope="module")
def node(start_node):
    process = start_node("vla_planner.planner_node", settle_time=0.3)
    process.wait_for("planning with symbols")
    return process


@pytest.fixture(scope="module")
def made(node, module_bench):
    return Robot(module_bench)


@pytest.fixture
def robot(made):
    made.reset()
    made.bench.spin(0.5)
    return made


def test_a_goal_of_two_steps_is_reached(robot):
    result = robot.end(robot.goal("put all the blocks in the bowl")[1])
    assert result.code == RESULT.FINISHED, result.text
    assert sorted(robot.given) == ["put the blue block in the bowl", "put the red block in the bowl"]
    assert [step.state for step in result.steps] == [GoalStep.STATE_DONE] * 2
    robot.bench.spin_until(lambda: robot.status().state == GoalStatus.STATE_FINISHED)
    assert robot.status().planner == "symbols"


def test_an_impossible_goal_is_rejected_and_nothing_is_given(robot):
    result = robot.end(robot.goal("put the purple block in the bowl")[1])
    assert result.code == RESULT.REJECTED
    assert "purple block is not" in result.text
    assert not robot.given


def test_a_question_is_asked_and_the_answer_is_taken(robot):
    _, ending = robot.goal("put a block in the bowl")
    robot.bench.spin_until(lambda: robot.status().state == GoalStatus.STATE_ASKING)
    assert robot.status().question == "Which block: the red one or the blue one?"
    robot.words.publish(String(data="the blue one"))
    assert robot.end(ending).code == RESULT.FINISHED
    assert robot.given == ["put the blue block in the bowl"]


def begun(robot, text: str):
    """A goal whose first step never ends."""
    robot.slow = True
    handle, ending = robot.goal(text)
    robot.bench.spin_until(lambda: robot.given)
    return handle, ending


def test_stop_ends_the_goal(robot):
    _, ending = begun(robot, "clear the table")
    robot.instructions.publish(Instruction(kind=Instruction.KIND_STOP, text="stop", id="s", sequence=5))
    assert robot.end(ending).code == RESULT.STOPPED
    robot.bench.spin_until(lambda: robot.cancelled == 1)


def test_cancelling_halts_the_step(robot):
    handle, ending = begun(robot, "clear the table")
    handle.cancel_goal_async()
    assert robot.end(ending).code == RESULT.CANCELLED
    robot.bench.spin_until(lambda: robot.cancelled == 1)


def test_a_newer_goal_replaces_the_current_one(robot):
    _, ending = begun(robot, "clear the table")
    robot.slow = False
    _, second = robot.goal("put the red block into the bowl please")
    assert robot.end(ending).code == RESULT.SUPERSEDED
    assert robot.end(second).code == RESULT.FINISHED
    assert robot.given[-1] == "put the red block in the bowl"


def test_why_is_answered_while_the_step_continues(robot):
    handle, ending = begun(robot, "clear the table")
    robot.words.publish(String(data="why did you do that?"))
    robot.bench.spin_until(lambda: "clear the table" in robot.status().say)
    assert robot.status().state == GoalStatus.STATE_EXECUTING
    handle.cancel_goal_async()
    assert robot.end(ending).code == RESULT.CANCELLED


def test_the_node_ends_cleanly(node):
    assert node.stop(signal.SIGINT) == 0
