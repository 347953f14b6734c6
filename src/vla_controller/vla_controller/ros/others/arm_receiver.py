# SPDX-License-Identifier: Apache-2.0
"""The joint_trajectory_controller behind the arm's topic: its parameters, and goals that others give it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from action_msgs.msg import GoalStatus, GoalStatusArray
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import DurabilityPolicy, QoSProfile

from vla_controller.arm.arm_clock import ArmClock
from vla_controller.health import receiver
from vla_controller.health.health import OK, WARN, Health
from vla_controller.refusals import Refusal

_ANSWER_TIME = 2.0  # [s] for the parameters, after which they are asked for again
_ACTIVE = (GoalStatus.STATUS_ACCEPTED, GoalStatus.STATUS_EXECUTING, GoalStatus.STATUS_CANCELING)
_STATUS = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class ArmReceiver:
    """Asks once a second until the parameters have come; never waits."""

    def __init__(self, node: Node, topic: str, joints: Sequence[str]) -> None:
        """Watch the node that takes `topic`, `<controller>/joint_trajectory`."""
        self._node, self._joints = node, joints
        self.controller = node.resolve_topic_name(topic).rpartition("/")[0]
        self._names = [*receiver.PARAMETERS, *receiver.tolerances(joints)]
        self._values: dict[str, Any] = {}
        self._asked: float | None = None
        self._told: set[str] = set()
        self._goals = 0
        self._client = node.create_client(GetParameters, f"{self.controller}/get_parameters")
        status = f"{self.controller}/follow_joint_trajectory/_action/status"
        node.create_subscription(GoalStatusArray, status, self._on_status, _STATUS)

    @property
    def refusal(self) -> Refusal | None:
        """Why nothing may be sent to it."""
        if self._goals:
            action = f"{self.controller}/follow_joint_trajectory"
            reason = f"{self._goals} goal(s) of {action}, which somebody else gave, run"
            return Refusal("other_goal", reason)
        found = receiver.unfit(self._values, self._joints)
        return found and Refusal(found.name, f"{self.controller}: {found.reason}")

    def second(self, timed: bool) -> None:
        """Ask for the parameters where they are not known, and log what is wrong once."""
        if len(self._values) < len(self._names):
            self._ask()
        refusal = self.refusal
        for text in [*([refusal.reason] if refusal else []), *self.warnings(timed)]:
            if text not in self._told:
                self._told.add(text)
                self._node.get_logger().warning(f"the arm's controller: {text}")

    def warnings(self, timed: bool) -> list[str]:
        """Return what makes the motion rough; `timed`: the clocks agree."""
        if not self._values:
            return []
        return [f"{self.controller}: {text}" for text in receiver.warnings(self._values, self._joints, timed)]

    def health(self, clock: ArmClock) -> Health:
        """Return the row of the diagnostics."""
        refusal = self.refusal
        found = ([refusal.reason] if refusal else []) + self.warnings(clock.agrees)
        values = {name: value for name, value in self._values.items() if value is not None}
        values |= {"clock_offset_ms": round(1e3 * clock.offset, 1), "timed": clock.agrees}
        missing = "" if self._values else "parameters not known: no such node, or not ros2_control"
        return Health(WARN if found else OK, "; ".join(found) or missing or "ok", values)

    def _ask(self) -> None:
        """Ask for each parameter by itself: a controller that lacks one answers nothing of a common request."""
        now = time.monotonic()
        if not self._client.service_is_ready() or (self._asked is not None and now - self._asked < _ANSWER_TIME):
            return
        self._asked = now
        for name in self._names:
            future = self._client.call_async(GetParameters.Request(names=[name]))
            future.add_done_callback(partial(self._on_answer, name))

    def _on_answer(self, name: str, future: Any) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        values = future.result().values
        self._values[name] = parameter_value_to_python(values[0]) if values else None

    def _on_status(self, msg: GoalStatusArray) -> None:
        self._goals = sum(row.status in _ACTIVE for row in msg.status_list)
