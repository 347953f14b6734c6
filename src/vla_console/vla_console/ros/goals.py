# SPDX-License-Identifier: Apache-2.0
"""Goals of several steps: from a page to planner_node. How they fare is on vla/goal_status."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from rclpy.action import ActionClient
from rclpy.node import Node
from std_msgs.msg import String

from vla_console.errors import ConsoleError
from vla_console.ros.replies import awaited, hand_over
from vla_msgs.action import ExecuteGoal

ACTION, TEXTS = "vla/execute_goal", "vla/goal_text"
PATIENCE_S = 5.0  # [s] for planner_node to take a goal


class GoalLink:
    """Begins goals, and passes on what is said about them."""

    def __init__(self, node: Node) -> None:
        """Create the entities on `node`."""
        self._node = node
        self._client = ActionClient(node, ExecuteGoal, ACTION)
        self._texts = node.create_publisher(String, TEXTS, 10)

    @property
    def ready(self) -> bool:
        """Whether planner_node is there."""
        return bool(self._client.server_is_ready())

    def begin(self, text: str) -> Awaitable[str]:
        """Begin a goal; return that it was taken. Raises ConsoleError, also later."""
        self._check()
        executor = self._node.executor
        if executor is None:
            raise ConsoleError("console_node is only starting; valid: a moment later")
        answered, take = hand_over()
        goal = ExecuteGoal.Goal(text=text)
        # In the executor's thread: the action client has no lock, and an answer that comes first would be lost
        executor.create_task(lambda: self._client.send_goal_async(goal).add_done_callback(take))
        return _taken(answered, text)

    def tell(self, text: str) -> str:
        """Pass on a correction, an answer or a question. Raises ConsoleError where nobody listens."""
        self._check()
        self._texts.publish(String(data=text))
        return f"told: {text}"

    def _check(self) -> None:
        if not self.ready:
            raise ConsoleError(f"the action {ACTION} is not there; it comes with planner:=NAME, for example symbols")


async def _taken(answered: asyncio.Future[Any], text: str) -> str:
    handle = await awaited(answered, PATIENCE_S, ACTION)
    if not handle.accepted:
        raise ConsoleError(f"{ACTION} refused the goal")
    return f"begun: {text}"
