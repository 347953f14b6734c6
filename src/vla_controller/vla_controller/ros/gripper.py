# SPDX-License-Identifier: Apache-2.0
"""The gripper: commands to its driver on change, an action beside the chunks, and how its fingers are stopped."""

from __future__ import annotations

import math
from typing import Any

from control_msgs.action import ParallelGripperCommand
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from sensor_msgs.msg import JointState
from vla_core.robot import GripperConfig

from vla_controller.arm_controller import ArmController
from vla_controller.motion.fingers import BEGIN_TIME, FingerOutcome, FingerRun, Fingers
from vla_controller.ros.gripper_drivers import make_driver
from vla_controller.settings import NodeSettings

_FEEDBACK_PERIOD = 0.1  # [s]
_LEAST_TIME = 0.05  # [s] for a motion


class Gripper:
    """Commands fingers when a chunk or an action wants them elsewhere; nothing is repeated.

    A goal of the action ends when the fingers are at the goal (`reached_goal`) or stand still before it (`stalled`, as
    around an object); both are successes. A newer command aborts it.
    """

    def __init__(self, node: Node, settings: NodeSettings, controller: ArmController) -> None:
        """Offer ~/gripper_cmd and connect to the driver."""
        self._node, self._controller, self._config = node, controller, controller.config.gripper
        topic = settings.gripper_command_topic or controller.config.gripper_command_topic
        self._driver = make_driver(node, settings, topic, self._config)
        self._fingers = Fingers()
        self._wanted = math.nan  # opening that the chunks want
        self._travel = math.nan  # [m] commanded last
        self._commanded = -math.inf  # [s] when
        self._receivers = 0
        self._active: tuple[ServerGoalHandle, FingerRun] | None = None
        self._fed = -math.inf
        self._server = ActionServer(
            node,
            ParallelGripperCommand,
            "~/gripper_cmd",
            lambda handle: ParallelGripperCommand.Result(),  # never runs: every goal brings its own end
            cancel_callback=self._on_cancel,
            handle_accepted_callback=self._on_goal,
        )

    def see(self, msg: JointState) -> None:
        """Take the fingers out of a joint state that holds them."""
        if self._config.joint in msg.name:
            index = msg.name.index(self._config.joint)
            if index < len(msg.position):
                self._fingers.update(self._now(), msg.position[index])

    def follow(self, opening: float) -> None:
        """Command the opening (0 to 1) that the chunks want, if it is not the one they wanted before."""
        if opening == self._wanted or (math.isnan(opening) and math.isnan(self._wanted)):
            return
        self._wanted = opening
        if not math.isnan(opening):
            self._replace("a chunk commands the gripper")
            self._command(self._config.finger_position(opening))

    def hold(self) -> None:
        """Stop fingers that move. Fingers that stand still keep their command: they may hold an object by it."""
        now = self._now()
        travel = self._fingers.travel(now)
        if travel is None or self._fingers.moving(now) or now - self._commanded < BEGIN_TIME:
            self._driver.hold(travel)
            self._travel = math.nan if travel is None else travel
        self._replace("the gripper was stopped")

    def greet(self, free: bool) -> None:
        """Command a driver that has just come, if the arm is `free` to move."""
        before, self._receivers = self._receivers, self._driver.receivers()
        if free and self._receivers > before and not math.isnan(self._travel):
            self._command(self._travel)

    def after_tick(self) -> None:
        """Send feedback and results that have become due."""
        if self._active is None:
            return
        now, (handle, run) = self._now(), self._active
        run.judge(self._fingers, now)
        if run.outcome is not None:
            self._active = None
            self._finish(handle, run.outcome)
        elif now - self._fed >= _FEEDBACK_PERIOD:
            self._fed = now
            handle.publish_feedback(ParallelGripperCommand.Feedback(state=self._state()))

    def _now(self) -> float:
        return float(self._node.get_clock().now().nanoseconds * 1e-9)

    def _seconds(self, travel: float) -> float:
        """Return how long the fingers take from where they are to `travel` [m], or over the whole way."""
        present = self._fingers.travel(self._now())
        longest = 0.5 * (self._config.max_width - self._config.min_width)
        return 2.0 * (longest if present is None else abs(travel - present)) / self._config.speed

    def _command(self, travel: float) -> None:
        self._travel, self._commanded, self._receivers = travel, self._now(), self._driver.receivers()
        self._driver.send(travel, max(_LEAST_TIME, self._seconds(travel)))

    def _replace(self, reason: str) -> None:
        if self._active is not None:
            self._active[1].end(FingerOutcome(reason))
            self.after_tick()

    def _on_goal(self, handle: ServerGoalHandle) -> None:
        now = self._now()
        refusal = self._controller.hindrance(now)
        problem = _problem(handle.request.command, self._config) if refusal is None else refusal.reason
        if problem:
            self._node.get_logger().warning(f"gripper goal refused: {problem}")
            self._finish(handle, FingerOutcome(problem))
            return
        self._replace("replaced by a newer goal")
        travel = handle.request.command.position[0]
        self._active = (handle, FingerRun(travel, now, self._seconds(travel)))
        self._command(travel)

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        if self._active is None or self._active[0].goal_id != handle.goal_id:
            return CancelResponse.REJECT
        run = self._active[1]
        run.end(FingerOutcome("cancelled", cancelled=True))  # its result follows after the next tick
        self._driver.hold(self._fingers.travel(self._now()))
        return CancelResponse.ACCEPT

    def _state(self) -> JointState:
        travel = self._fingers.travel(self._now())
        state = JointState(name=[self._config.joint], position=[math.nan if travel is None else travel])
        state.header.stamp = self._node.get_clock().now().to_msg()
        return state

    def _finish(self, handle: ServerGoalHandle, outcome: FingerOutcome) -> None:
        result = ParallelGripperCommand.Result(
            state=self._state(), stalled=outcome.stalled, reached_goal=outcome.reached
        )
        self._node.get_logger().info(f"gripper: {outcome.text}")

        def end(handle: ServerGoalHandle) -> Any:
            if handle.is_cancel_requested:
                handle.canceled()
            elif outcome.reached or outcome.stalled:
                handle.succeed()
            else:
                handle.abort()
            return result

        handle.execute(end)


def _problem(command: JointState, gripper: GripperConfig) -> str:
    """Return why a command cannot be executed; empty: it can."""
    low, high = gripper.finger_position(0.0), gripper.finger_position(1.0)
    if list(command.name) not in ([], [gripper.joint]) or len(command.position) != 1:
        return f"joints {list(command.name)}, {len(command.position)} position(s); valid: one, of {gripper.joint!r}"
    travel = command.position[0]
    if not low - 1e-6 <= travel <= high + 1e-6:
        return f"position {travel} m; valid: {low} to {high} m, travel of one finger"
    return ""
