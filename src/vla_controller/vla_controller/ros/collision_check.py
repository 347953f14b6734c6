# SPDX-License-Identifier: Apache-2.0
"""Asks MoveIt whether a chunk's joint states are free of collisions, where MoveIt runs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.node import Node
from vla_core.action import ActionChunk
from vla_core.robot import RobotConfigError

from vla_controller.arm_controller import ArmController
from vla_controller.intake.release_guard import Array, ReleaseGuard, chunk_states
from vla_controller.refusals import Refusal
from vla_controller.settings import NodeSettings

MODES = ("auto", "off", "required")


class CollisionCheck:
    """Stands between the gate and the controller; a chunk that is not asked for goes on at once."""

    def __init__(
        self, node: Node, settings: NodeSettings, controller: ArmController, accept: Callable[[ActionChunk], Any]
    ) -> None:
        """``accept`` takes the chunks that are released. Raises RobotConfigError for an unknown mode."""
        if settings.collision_check not in MODES:
            raise RobotConfigError(f"unknown collision_check {settings.collision_check!r}; valid: {', '.join(MODES)}")
        self._mode, self._settings, self._controller, self._accept = (
            settings.collision_check,
            settings,
            controller,
            accept,
        )
        self._guard = ReleaseGuard(settings.collision_budget, accept, self._refuse)
        self._log = node.get_logger()
        self._kind = self._client = None
        if self._mode != "off":
            self._connect(node)

    def offer(self, chunk: ActionChunk, now: float, setpoint: Array | None) -> None:
        """Take a chunk at ``now`` [s]; ``setpoint`` (n,) [rad] was sent last."""
        ready = self._client is not None and self._client.service_is_ready()
        if self._mode == "required" and not ready:
            self._refuse(Refusal("validity_unavailable", f"nobody serves {self._settings.collision_service}"))
            return
        if not ready or setpoint is None or self._controller.examine(chunk, now) is not None:
            self._accept(chunk)  # which says why not, where the gate refuses it
            return
        controller = self._controller
        budget = controller.settings.latency_budget
        states = chunk_states(chunk, controller.config, controller.kinematics, setpoint, now, budget)
        self._guard.hold(chunk, states, now, self._ask)

    def after_tick(self, now: float) -> None:
        """Refuse what was not answered for in time."""
        self._guard.check(now)

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
        for state in states:
            request = self._kind.Request(group_name=self._settings.collision_group)
            request.robot_state.is_diff = True  # fingers and attached objects as they are
            request.robot_state.joint_state.name = list(self._controller.config.joints)
            request.robot_state.joint_state.position = state.tolist()
            future = self._client.call_async(request)
            future.add_done_callback(lambda done: self._on_answer(ticket, done))

    def _on_answer(self, ticket: int, future: Any) -> None:
        reply = future.result()
        if reply is None:
            return
        pairs = {f"{contact.contact_body_1} and {contact.contact_body_2}" for contact in reply.contacts}
        broken = sum(not result.result for result in reply.constraint_result)
        account = f"contact of {', '.join(sorted(pairs)[:3])}" if pairs else f"{broken} constraint(s) violated"
        self._guard.answer(ticket, reply.valid, f"MoveIt: {account}")

    def _refuse(self, refusal: Refusal) -> None:
        self._controller.log.add(refusal)
        self._log.warning(f"{refusal.name}: {refusal.reason}", throttle_duration_sec=1.0)
