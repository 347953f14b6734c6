# SPDX-License-Identifier: Apache-2.0
"""The action server for planned trajectories: control_msgs/FollowJointTrajectory, as MoveIt speaks it.

Everything that decides is in vla_controller.trajectory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectoryPoint
from vla_core.ros.time import duration_from_seconds, seconds_from_msg, time_from_seconds

from vla_controller.arm_controller import ArmController
from vla_controller.trajectory.goal import ErrorCode, GoalError, TrajectoryGoal
from vla_controller.trajectory.run import Outcome, Progress, TrajectoryRun

_FEEDBACK_PERIOD = 0.1  # [s]


def goal_from_msg(goal: FollowJointTrajectory.Goal) -> TrajectoryGoal:
    """A goal as it was sent; whether it makes sense is for the check."""
    points, multi_dof = goal.trajectory.points, goal.multi_dof_trajectory
    components = (*goal.component_path_tolerance, *goal.component_goal_tolerance)
    return TrajectoryGoal(
        stamp=seconds_from_msg(goal.trajectory.header.stamp),
        joint_names=tuple(goal.trajectory.joint_names),
        times=np.array([seconds_from_msg(point.time_from_start) for point in points]),
        positions=tuple(np.array(point.positions, dtype=np.float64) for point in points),
        velocities=tuple(np.array(point.velocities, dtype=np.float64) for point in points),
        accelerations=tuple(np.array(point.accelerations, dtype=np.float64) for point in points),
        path_tolerance={item.name: item.position for item in goal.path_tolerance},
        goal_tolerance={item.name: item.position for item in goal.goal_tolerance},
        goal_time_tolerance=seconds_from_msg(goal.goal_time_tolerance),
        multi_dof=bool(components or multi_dof.joint_names or multi_dof.points),
    )


def feedback_to_msg(progress: Progress, joints: list[str], frame: str) -> FollowJointTrajectory.Feedback:
    """Feedback on a trajectory; before its start `time_from_start` is negative."""
    msg = FollowJointTrajectory.Feedback(joint_names=joints)
    msg.header.stamp, msg.header.frame_id = time_from_seconds(progress.stamp), frame
    if hasattr(msg, "index"):  # control_msgs 6 (Kilted)
        msg.index = progress.index
    rows = (("desired", progress.desired), ("actual", progress.actual), ("error", progress.desired - progress.actual))
    for name, row in rows:
        point = JointTrajectoryPoint(positions=row.tolist())
        point.time_from_start = duration_from_seconds(progress.elapsed)
        setattr(msg, name, point)
    return msg


@dataclass(slots=True)
class _Active:
    """A goal that moves the arm."""

    handle: ServerGoalHandle
    run: TrajectoryRun
    fed: float = -np.inf  # [s] of the latest feedback


class TrajectoryServer:
    """Takes trajectories for the controller and reports their progress and outcome.

    A goal is executed by the ticks of the controller: rclpy runs its callback only at the end, to set the result. Until
    then its status is ACCEPTED. A coroutine that waits for the end would keep rclpy's executor spinning.
    """

    def __init__(self, node: Node, controller: ArmController) -> None:
        """Offer ~/follow_joint_trajectory."""
        self._node, self._controller = node, controller
        self._active: _Active | None = None
        self._server = ActionServer(
            node,
            FollowJointTrajectory,
            "~/follow_joint_trajectory",
            lambda handle: FollowJointTrajectory.Result(),  # never runs: every goal brings its own end
            cancel_callback=self._on_cancel,
            handle_accepted_callback=self._on_goal,
        )

    def after_tick(self) -> None:
        """Send feedback and results that have become due."""
        active = self._active
        if active is None:
            return
        if active.run.outcome is not None:
            self._active = None
            _finish(active.handle, active.run.outcome)
            return
        progress = active.run.progress
        if progress is not None and progress.stamp - active.fed >= _FEEDBACK_PERIOD - 1e-3:
            active.fed = progress.stamp
            config = self._controller.config
            active.handle.publish_feedback(feedback_to_msg(progress, list(config.joints), config.base_frame))

    def _on_goal(self, handle: ServerGoalHandle) -> None:
        """Accept every goal, so that its sender learns by code and text why it is not executed."""
        now = self._node.get_clock().now().nanoseconds * 1e-9
        try:
            run = self._controller.start_trajectory(goal_from_msg(handle.request), now)
        except GoalError as error:
            self._node.get_logger().warning(f"trajectory refused: {error}")
            _finish(handle, Outcome(error.code, str(error)))
            return
        self.after_tick()  # the one that was replaced
        self._active = _Active(handle, run)

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        active = self._active
        if active is None or active.handle.goal_id != handle.goal_id:
            return CancelResponse.REJECT
        self._controller.trajectories.cancel()
        return CancelResponse.ACCEPT


def _finish(handle: ServerGoalHandle, outcome: Outcome) -> None:
    def end(handle: ServerGoalHandle) -> Any:
        if handle.is_cancel_requested:
            handle.canceled()
        elif outcome.code == ErrorCode.SUCCESSFUL and not outcome.cancelled:
            handle.succeed()
        else:
            handle.abort()
        return FollowJointTrajectory.Result(error_code=int(outcome.code), error_string=outcome.text)

    handle.execute(end)
