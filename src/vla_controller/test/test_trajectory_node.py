# SPDX-License-Identifier: Apache-2.0
"""Trajectories over DDS, from an action client to the setpoints: one owner at a time, codes, feedback, cancelling."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from vla_core.robot import load_robot_config

pytestmark = pytest.mark.node
CONFIG = load_robot_config("fr3")
AWAY = np.array([0.3, -0.1, 0.2, 0.2, -0.3, 0.2, 0.4])


class Planner:
    """Sends trajectories as MoveIt does."""

    def __init__(self, arm: Any) -> None:
        from control_msgs.action import FollowJointTrajectory
        from rclpy.action import ActionClient

        self.arm, self.kind, self.feedback, self.results = arm, FollowJointTrajectory, [], {}
        self.client = ActionClient(arm.node, FollowJointTrajectory, "/controller_node/follow_joint_trajectory")
        arm.wait(self.client.server_is_ready, 30.0)

    def goal(self, *rows: np.ndarray, seconds: float = 2.0, names: tuple[str, ...] = CONFIG.joints) -> Any:
        from trajectory_msgs.msg import JointTrajectoryPoint

        goal = self.kind.Goal()
        goal.trajectory.joint_names = list(names)
        for k, row in enumerate(rows, 1):
            point = JointTrajectoryPoint(positions=row.tolist(), velocities=[0.0] * len(row))
            point.time_from_start.sec = int(seconds * k)
            point.time_from_start.nanosec = round(seconds * k % 1 * 1e9)
            goal.trajectory.points.append(point)
        return goal

    def send(self, goal: Any) -> Any:
        """The accepted goal; all is asked for in the executor's thread, where no answer can be too quick."""
        asked: list[tuple[Any, Any]] = []

        def ask() -> None:
            sent = self.client.send_goal_async(goal, feedback_callback=lambda msg: self.feedback.append(msg.feedback))
            sent.add_done_callback(lambda done: asked.append((done.result(), done.result().get_result_async())))

        self.arm.node.executor.create_task(ask)
        self.arm.wait(lambda: asked)
        handle, result = asked[0]
        self.results[bytes(handle.goal_id.uuid)] = result
        return handle

    def result(self, handle: Any) -> Any:
        future = self.results[bytes(handle.goal_id.uuid)]
        self.arm.wait(future.done, 20.0)
        return future.result()


@pytest.fixture
def planner(arm, start: Callable) -> Planner:
    start()
    arm.wait_for_state(1)
    return Planner(arm)


def refused(arm) -> set[str]:
    return {refusal.name for refusal in arm.statuses[-1].refusals}


def test_there_and_back_and_the_policy_has_to_wait(arm, planner: Planner) -> None:
    arm.instruct("a")
    arm.chunk((0.0, 0.05, 0.0))
    arm.wait_for_state(2)
    handle = planner.send(planner.goal(CONFIG.home + AWAY))
    assert handle.accepted
    arm.wait(lambda: arm.speed() > 0.1)
    arm.chunk((0.0, 0.05, 0.0))
    arm.wait(lambda: "not_owner" in refused(arm))
    ended = planner.result(handle)
    assert (ended.status, ended.result.error_code, ended.result.error_string) == (4, 0, "arrived")
    arm.wait(lambda: np.allclose(arm.q, CONFIG.home + AWAY, atol=1e-3), 2.0)  # a lead after its setpoint
    assert len(planner.feedback) > 5
    last = planner.feedback[-1]
    assert list(last.joint_names) == list(CONFIG.joints)
    assert np.allclose(np.subtract(last.desired.positions, last.actual.positions), last.error.positions)

    arm.chunk((0.0, 0.05, 0.0))
    arm.wait(lambda: "stopped" in refused(arm))
    arm.instruct("b")
    before = arm.statuses[-1].chunks_accepted
    arm.chunk((0.0, -0.02, 0.0), instruction="b")
    arm.wait(lambda: arm.statuses[-1].chunks_accepted == before + 1)
    arm.wait_for_state(1)
    home = planner.send(planner.goal(CONFIG.home, seconds=3.0))
    assert planner.result(home).result.error_code == 0
    arm.assert_within_limits(20.0)


def test_refusals_carry_a_code_and_a_reason(arm, planner: Planner) -> None:
    for goal, code, said in (
        (planner.goal(AWAY[:6], names=CONFIG.joints[:6]), -2, "in any order"),
        (planner.goal(CONFIG.home + AWAY, seconds=0.05), -1, "velocity"),
        (planner.goal(), -1, "0 points"),
    ):
        ended = planner.result(planner.send(goal))
        assert (ended.status, ended.result.error_code) == (6, code)
        assert said in ended.result.error_string
    assert arm.speed() == 0.0
    arm.wait(lambda: "trajectory_refused" in refused(arm))


def test_cancelled_replaced_and_stopped_for_an_emergency(arm, planner: Planner) -> None:
    handle = planner.send(planner.goal(CONFIG.home + AWAY))
    arm.wait(lambda: arm.speed() > 0.1)
    cancelling = handle.cancel_goal_async()
    arm.wait(cancelling.done)
    assert len(cancelling.result().goals_canceling) == 1
    ended = planner.result(handle)
    assert (ended.status, ended.result.error_string) == (5, "cancelled: stopped on the path")
    arm.wait(lambda: arm.speed() == 0.0, 1.0)
    share = (arm.q - CONFIG.home) / AWAY
    assert np.ptp(share) < 0.02
    assert share.mean() < 0.9

    first = planner.send(planner.goal(CONFIG.home + AWAY))
    time.sleep(0.3)
    second = planner.send(planner.goal(CONFIG.home - 0.5 * AWAY, seconds=3.0))
    ended = planner.result(first)
    assert (ended.status, ended.result.error_code) == (6, -4)
    assert "newer trajectory" in ended.result.error_string
    arm.wait(lambda: arm.speed() > 0.05)
    assert arm.call("estop").success
    ended = planner.result(second)
    assert (ended.status, ended.result.error_code) == (6, -4)
    assert "emergency stop" in ended.result.error_string
    ended = planner.result(planner.send(planner.goal(CONFIG.home)))
    assert "latched" in ended.result.error_string
    arm.assert_within_limits(20.0)


@pytest.mark.parametrize("ahead", [0.02, 0.5])
def test_a_trajectory_that_starts_in_the_future_waits_and_arrives(arm, planner: Planner, ahead: float) -> None:
    goal = planner.goal(CONFIG.home + 0.3 * AWAY)
    start_ns = arm.node.get_clock().now().nanoseconds + round(ahead * 1e9)
    goal.trajectory.header.stamp.sec, goal.trajectory.header.stamp.nanosec = divmod(start_ns, 10**9)
    ended = planner.result(planner.send(goal))
    assert (ended.status, ended.result.error_code) == (4, 0), ended.result.error_string
    arm.wait(lambda: np.allclose(arm.q, CONFIG.home + 0.3 * AWAY, atol=1e-3), 2.0)
    if ahead > 0.3:
        assert planner.feedback[0].desired.time_from_start.sec < 0


def hostile(planner: Planner) -> dict[str, Any]:
    """Goals that make no sense, each a change of one that does."""
    from control_msgs.msg import JointComponentTolerance, JointTolerance
    from trajectory_msgs.msg import JointTrajectoryPoint, MultiDOFJointTrajectoryPoint

    goals = {}

    def goal(name: str) -> Any:
        goals[name] = planner.goal(CONFIG.home, CONFIG.home + 0.1 * AWAY)
        return goals[name]

    for text, number in (("nan", float("nan")), ("inf", float("inf")), ("huge", 1e308)):
        goal(f"{text} position").trajectory.points[1].positions[2] = number
        goal(f"{text} velocity").trajectory.points[0].velocities[2] = number
        goal(f"{text} acceleration").trajectory.points[0].accelerations = [number] * 7
        goal(f"{text} tolerance").path_tolerance = [JointTolerance(name=CONFIG.joints[0], position=number)]
    goals.pop("huge tolerance")  # as good as none
    goal("negative time").trajectory.points[0].time_from_start.sec = -(2**31)
    points = goal("equal times").trajectory.points
    points[1].time_from_start = points[0].time_from_start
    goal("tiny time").trajectory.points.insert(0, JointTrajectoryPoint(positions=[0.0] * 7, velocities=[0.0] * 7))
    goals["tiny time"].trajectory.points[0].time_from_start.nanosec = 1
    goal("negative stamp").trajectory.header.stamp.sec = -(2**31)
    goal("late stamp").trajectory.header.stamp.sec = 2**31 - 1
    goal("goal time").goal_time_tolerance.sec = -(2**31)
    goal("doubled names").trajectory.joint_names = [CONFIG.joints[0]] * 7
    goal("short row").trajectory.points[1].positions = [0.0] * 6
    goal("multi dof").multi_dof_trajectory.points = [MultiDOFJointTrajectoryPoint()]
    goal("component").component_goal_tolerance = [JointComponentTolerance(joint_name="base")]
    goal("unknown tolerance").goal_tolerance = [JointTolerance(name="fr3_finger_joint1", position=0.1)]
    goal("too many points").trajectory.points = [JointTrajectoryPoint()] * 20_001
    return goals


def test_nothing_that_a_client_sends_ends_the_node(arm, planner: Planner) -> None:
    for name, goal in hostile(planner).items():
        ended = planner.result(planner.send(goal))
        assert ended.status == 6, name
        assert ended.result.error_code < 0, name
        assert ended.result.error_string, name
    ended = planner.result(planner.send(planner.goal(CONFIG.home + 0.1 * AWAY)))
    assert (ended.status, ended.result.error_code) == (4, 0)
    arm.assert_within_limits(20.0)
