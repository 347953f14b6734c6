# SPDX-License-Identifier: Apache-2.0
"""The gripper over DDS: commands on change alone, stopped by the e-stop; an action to it, and drivers that are one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from vla_core.robot import load_robot_config

pytestmark = pytest.mark.node
CONFIG = load_robot_config("fr3")
STILL = (0.0, 0.0, 0.0)


def travels(arm) -> list[float]:
    return [msg.points[0].positions[0] for msg in arm.grippers]


@pytest.fixture
def moved(arm, start: Callable):
    """The arm with a controller that has an instruction."""
    start()
    arm.wait_for_state(1)
    arm.instruct("a")
    return arm


def close(arm, instruction: str = "a") -> None:
    count = len(arm.grippers)
    arm.chunk(STILL, gripper=0.0, instruction=instruction)
    arm.wait(lambda: len(arm.grippers) > count)


def test_the_emergency_stop_stops_the_fingers_and_nothing_is_repeated(moved) -> None:
    arm = moved
    arm.chunk(STILL, gripper=1.0)
    arm.wait(lambda: arm.grippers)
    time.sleep(2.2)
    assert len(arm.grippers) == 1
    close(arm)
    arm.wait(lambda: arm.finger < 0.03)
    assert arm.call("estop").success
    arm.wait(lambda: len(arm.grippers) == 3)
    time.sleep(2.2)
    assert len(arm.grippers) == 3
    assert 0.005 < travels(arm)[-1] < 0.03
    assert arm.finger == pytest.approx(travels(arm)[-1], abs=1e-4)
    assert np.isnan(arm.statuses[-1].gripper)

    assert arm.call("reset_estop").success
    arm.instruct("b")
    close(arm, "b")  # the very opening that was commanded before
    assert travels(arm)[-1] == 0.0


def test_fingers_that_hold_an_object_keep_their_command(moved) -> None:
    """A gripper holds by the distance between command and fingers: to command where they are drops the object."""
    arm = moved
    arm.finger_block = 0.02
    close(arm)
    arm.wait(lambda: arm.finger == 0.02)
    time.sleep(0.6)
    for halt in (lambda: arm.call("estop"), lambda: arm.instruct("s", stop=True)):
        count = len(arm.grippers)
        halt()
        time.sleep(1.2)
        assert len(arm.grippers) == count


def test_stop_stops_moving_fingers(moved) -> None:
    arm = moved
    close(arm)
    arm.wait(lambda: arm.finger < 0.03)
    arm.instruct("s", stop=True)
    arm.wait(lambda: len(arm.grippers) == 2)
    assert travels(arm)[-1] > 0.005


def test_a_driver_that_comes_late_is_told_once_unless_the_arm_is_stopped(moved) -> None:
    from trajectory_msgs.msg import JointTrajectory

    arm = moved
    close(arm)
    time.sleep(1.5)
    count, late = len(arm.grippers), []
    arm.node.create_subscription(JointTrajectory, CONFIG.gripper_command_topic, late.append, 10)
    arm.wait(lambda: late)
    time.sleep(1.5)
    assert [msg.points[0].positions[0] for msg in late] == [0.0]
    assert len(arm.grippers) == count + 1
    assert arm.call("estop").success
    after: list[Any] = []
    arm.node.create_subscription(JointTrajectory, CONFIG.gripper_command_topic, after.append, 10)
    time.sleep(2.5)
    assert after == []


class Hand:
    """A client of the gripper's action."""

    def __init__(self, arm: Any) -> None:
        from control_msgs.action import ParallelGripperCommand
        from rclpy.action import ActionClient

        self.arm, self.kind, self.feedback = arm, ParallelGripperCommand, []
        self.client = ActionClient(arm.node, ParallelGripperCommand, "/controller_node/gripper_cmd")
        arm.wait(self.client.server_is_ready)

    def send(self, *position: float, name: tuple[str, ...] = (CONFIG.gripper.joint,)) -> tuple[Any, Any]:
        goal = self.kind.Goal()
        goal.command.name, goal.command.position = list(name), list(position)
        asked: list[tuple[Any, Any]] = []

        def ask() -> None:
            sent = self.client.send_goal_async(goal, feedback_callback=lambda msg: self.feedback.append(msg.feedback))
            sent.add_done_callback(lambda done: asked.append((done.result(), done.result().get_result_async())))

        self.arm.node.executor.create_task(ask)  # in the executor's thread, where no answer can be too quick
        self.arm.wait(lambda: asked)
        return asked[0]

    def end(self, future: Any) -> Any:
        self.arm.wait(future.done)
        return future.result()


def test_the_action_reaches_stalls_and_refuses(moved) -> None:
    arm, hand = moved, Hand(moved)
    ended = hand.end(hand.send(0.01)[1])
    assert (ended.status, ended.result.reached_goal, ended.result.stalled) == (4, True, False)
    assert ended.result.state.position[0] == pytest.approx(0.01, abs=1e-3)
    assert list(hand.feedback[-1].state.name) == [CONFIG.gripper.joint]
    assert hand.end(hand.send(0.04, name=())[1]).result.reached_goal

    arm.finger_block = 0.02
    ended = hand.end(hand.send(0.0)[1])
    assert (ended.status, ended.result.reached_goal, ended.result.stalled) == (4, False, True)
    arm.finger_block = 0.0

    count = len(arm.grippers)
    for positions, name in (((0.5,), None), ((float("nan"),), None), ((), None), ((0.01,), ("other",))):
        ended = hand.end(hand.send(*positions, name=name or (CONFIG.gripper.joint,))[1])
        assert (ended.status, ended.result.reached_goal, ended.result.stalled) == (6, False, False)
    assert arm.call("estop").success
    assert hand.end(hand.send(0.03)[1]).status == 6
    assert len(arm.grippers) <= count + 1  # the e-stop's own


def test_the_action_is_cancelled_and_gives_way_to_a_chunk(moved) -> None:
    arm, hand = moved, Hand(moved)
    handle, result = hand.send(0.0)
    arm.wait(lambda: arm.finger < 0.03)
    handle.cancel_goal_async()
    assert hand.end(result).status == 5
    assert arm.finger > 0.005
    _, result = hand.send(0.0)
    arm.chunk(STILL, gripper=1.0)
    assert hand.end(result).status == 6
    arm.wait(lambda: arm.finger == 0.04)


@pytest.mark.parametrize("output", ["gripper_command", "parallel_gripper_command"])
def test_a_driver_that_is_an_action(arm, start: Callable, output: str) -> None:
    from control_msgs.action import GripperCommand, ParallelGripperCommand
    from rclpy.action import ActionServer, CancelResponse

    kind = GripperCommand if output == "gripper_command" else ParallelGripperCommand
    goals: list[Any] = []
    cancelled: list[Any] = []

    def cancel(handle: Any) -> CancelResponse:
        cancelled.append(handle)
        return CancelResponse.ACCEPT

    ActionServer(
        arm.node,
        kind,
        "/hand/grip",
        lambda handle: kind.Result(),
        handle_accepted_callback=lambda handle: goals.append(handle.request.command),
        cancel_callback=cancel,
    )
    start("gripper_command_topic:=/hand/grip", f"gripper_output:={output}", "gripper_effort:=12.0")
    arm.wait_for_state(1)
    arm.instruct("a")
    time.sleep(1.2)
    arm.chunk(STILL, gripper=0.0)
    arm.wait(lambda: goals)
    command = goals[0]
    wanted = (
        (command.position, command.max_effort)
        if output == "gripper_command"
        else (command.position[0], command.effort[0])
    )
    assert wanted == (0.0, 12.0)
    assert arm.call("estop").success
    arm.wait(lambda: cancelled)
    time.sleep(1.5)
    assert len(goals) == 1
