# SPDX-License-Identifier: Apache-2.0
"""Asks MoveIt whether a chunk's joint states are free of collisions, where MoveIt runs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.node import Node
from vla_core.robot import RobotConfigError

from vla_controller.arm_controller import ArmController
from vla_controller.intake.release_guard import Array, ReleaseGuard, chunk_states
from vla_controller.intake.targets import AcceptedChunk
from vla_controller.refusals import Refusal
from vla_controller.settings import NodeSettings

MODES = ("auto", "off", "required")


class CollisionCheck:
    """Stands between the gate and the controller; a chunk that is not submitted to MoveIt continues at once."""

    def __init__(
        self, node: Node, settings: NodeSettings, controller: ArmController, follow: Callable[[AcceptedChunk], None]
    ) -> None:
        """``follow`` takes the chunks that are released. Raises RobotConfigError for an unknown mode."""
        if settings.collision_check not in MODES:
            raise RobotConfigError(f"unknown collision_check {settings.collision_check!r}; valid: {', '.join(MODES)}")
        self._mode, self._settings, self._controller = settings.collision_check, settings, controller
        self._follow = follow
        self._guard = ReleaseGuard(settings.collision_budget, follow, self._refuse)
        self._log = node.get_logger()
        self._asked: list[Any] = []  # futures of the chunk that waits
        self._kind: Any = None
        self._client: Any = None
        if self._mode != "off":
            self._connect(node)

    def offer(self, accepted: AcceptedChunk, now: float) -> None:
        """Take a chunk that passed the gate at ``now`` [s]."""
        ready = self._client is not None and self._client.service_is_ready()
        if ready:
            self._guard.hold(accepted, chunk_states(accepted, self._controller.kinematics), now, self._ask)
        elif self._mode == "required":
            self._refuse(Refusal("validity_unavailable", f"nobody serves {self._settings.collision_service}"))
        else:
            self._follow(accepted)

    def after_tick(self, now: float) -> None:
        """Refuse what was not answered for in time."""
        self._guard.check(now)
        if self._asked and not self._guard.waiting:
            self._withdraw()

    def _connect(self, node: Node) -> None:
        try:
            self._kind = importlib.import_module("moveit_msgs.srv").GetStateValidity
        except ImportError as error:
            if self._mode == "required":
                raise RobotConfigError("collision_check is required, but moveit_msgs is not installed") from error
            self._log.info("moveit_msgs is not installed: chunks are not asked for collision")
            return
        self._client = node.create_client(self._kind, self._settings.collision_service)

    def _ask(self, ticket: int, states: Sequence[Array]) -> None:
        self._withdraw()
        for state in states:
            request = self._kind.Request(group_name=self._settings.collision_group)
            request.robot_state.is_diff = True  # fingers and attached objects as they are
            request.robot_state.joint_state.name = list(self._controller.config.joints)
            request.robot_state.joint_state.position = state.tolist()
            future = self._client.call_async(request)
            self._asked.append(future)
            future.add_done_callback(lambda done: self._on_answer(ticket, done))

    def _withdraw(self) -> None:
        """Give up on the answers that are still missing, so that they do not pile up while MoveIt is silent."""
        asked, self._asked = self._asked, []
        for future in asked:
            if not future.done():
                self._client.remove_pending_request(future)

    def _on_answer(self, ticket: int, future: Any) -> None:
        if future.cancelled() or future.exception() is not None:
            self._log.warning(f"{self._settings.collision_service}: {future.exception()}", throttle_duration_sec=1.0)
            return  # counts as silence
        reply = future.result()
        pairs = {f"{contact.contact_body_1} and {contact.contact_body_2}" for contact in reply.contacts}
        broken = sum(not result.result for result in reply.constraint_result)
        account = f"contact of {', '.join(sorted(pairs)[:3])}" if pairs else f"{broken} constraint(s) violated"
        self._guard.answer(ticket, reply.valid, f"MoveIt: {account}")

    def _refuse(self, refusal: Refusal) -> None:
        self._controller.log.add(refusal)
        self._log.warning(f"{refusal.name}: {refusal.reason}", throttle_duration_sec=1.0)
