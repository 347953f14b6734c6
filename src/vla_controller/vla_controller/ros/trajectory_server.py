# SPDX-License-Identifier: Apache-2.0
"""Action servers for planned trajectories: vla_msgs/FollowTrajectory always, control_msgs' where that is installed.

The action types differ in name only, so that one server serves both; everything that decides is in trajectory_run.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.action import ActionServer, CancelResponse
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectoryPoint
from vla_core.ros.time import duration_from_seconds, seconds_from_msg, time_from_seconds

from vla_controller.arm_controller import ArmController
from vla_controller.trajectory.goal import GoalError, TrajectoryGoal
from vla_controller.trajectory.run import Outcome, Progress, TrajectoryRun
from vla_msgs.action import FollowTrajectory

_FEEDBACK_PERIOD = 0.1  # [s]


def goal_from_msg(goal: Any) -> TrajectoryGoal:
    """A goal of either action type, as it was sent; whether it makes sense is for the check."""
    points = goal.trajectory.points
    components = (*getattr(goal, "component_path_tolerance", ()), *getattr(goal, "component_goal_tolerance", ()))
    multi_dof = getattr(goal, "multi_dof_trajectory", None)
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
        multi_dof=bool(components) or (multi_dof is not None and bool(multi_dof.joint_names or multi_dof.points)),
    )


def feedback_to_msg(kind: Any, progress: Progress, joints: list[str], frame: str) -> Any:
    """Feedback of either action type."""
    msg = kind.Feedback(joint_names=joints, index=progress.index)
    msg.header.stamp, msg.header.frame_id = time_from_seconds(progress.stamp), frame
    rows = (("desired", progress.desired), ("actual", progress.actual), ("error", progress.desired - progress.actual))
    for name, row in rows:
        point = JointTrajectoryPoint(positions=row.tolist())
        point.time_from_start = duration_from_seconds(progress.elapsed)
        setattr(msg, name, point)
    return msg


class _Server(ActionServer):
    """An action server whose goals have no coroutine while they run: a waiting one would keep the executor spinning."""

    def notify_execute(self, goal_handle: Any, execute_callback: Any) -> None:
        """Run a callback only once it ends the goal."""
        if execute_callback is not None:  # that is what goal_handle.execute() gives
            super().notify_execute(goal_handle, execute_callback)


@dataclass(slots=True)
class _Active:
    """A goal that moves the arm."""

    server: _Server
    kind: Any
    handle: Any
    run: TrajectoryRun
    fed: float = -1.0  # [s] of the latest feedback


class TrajectoryServers:
    """Takes trajectories for the controller and tells their senders what becomes of them."""

    def __init__(self, node: Node, controller: ArmController) -> None:
        """Offer ~/follow_trajectory, and ~/follow_joint_trajectory where control_msgs is installed."""
        self._node, self._controller = node, controller
        self._active: _Active | None = None
        self._servers = [self._serve(FollowTrajectory, "~/follow_trajectory")]
        try:
            kind = importlib.import_module("control_msgs.action").FollowJointTrajectory
        except ImportError:
            node.get_logger().info("control_msgs is not installed: ~/follow_trajectory only, no FollowJointTrajectory")
        else:
            self._servers.append(self._serve(kind, "~/follow_joint_trajectory"))

    def _serve(self, kind: Any, name: str) -> _Server:
        def on_goal(handle: Any) -> None:
            self._on_goal(server, kind, handle)

        server = _Server(
            self._node, kind, name, _nothing, cancel_callback=self._on_cancel, handle_accepted_callback=on_goal
        )
        return server

    def after_tick(self) -> None:
        """Send feedback and results that have become due."""
        active = self._active
        if active is None:
            return
        if active.run.outcome is not None:
            self._active = None
            _finish(active.server, active.kind, active.handle, active.run.outcome)
            return
        progress = active.run.progress
        if progress is not None and progress.stamp - active.fed >= _FEEDBACK_PERIOD - 1e-3:
            active.fed = progress.stamp
            config = self._controller.config
            active.handle.publish_feedback(
                feedback_to_msg(active.kind, progress, list(config.joints), config.base_frame)
            )

    def _on_goal(self, server: _Server, kind: Any, handle: Any) -> None:
        """Every goal is accepted, so that its sender learns by code and text why it is not executed."""
        handle.execute()
        now = self._node.get_clock().now().nanoseconds * 1e-9
        try:
            run = self._controller.start_trajectory(goal_from_msg(handle.request), now)
        except GoalError as error:
            self._node.get_logger().warning(f"trajectory refused: {error}")
            _finish(server, kind, handle, Outcome(error.code, str(error)))
            return
        self.after_tick()  # the one that was replaced
        self._active = _Active(server, kind, handle, run)

    def _on_cancel(self, handle: Any) -> CancelResponse:
        active = self._active
        if active is None or active.handle.goal_id != handle.goal_id:
            return CancelResponse.REJECT
        self._controller.cancel_trajectory()
        return CancelResponse.ACCEPT


def _finish(server: _Server, kind: Any, handle: Any, outcome: Outcome) -> None:
    def end(handle: Any) -> Any:
        if handle.is_cancel_requested:
            handle.canceled()
        elif outcome.code == 0 and not outcome.cancelled:
            handle.succeed()
        else:
            handle.abort()
        return kind.Result(error_code=int(outcome.code), error_string=outcome.text)

    server.notify_execute(handle, end)


def _nothing(handle: Any) -> None:
    """What rclpy wants as the execution of a goal; the ticks of the controller are that."""
