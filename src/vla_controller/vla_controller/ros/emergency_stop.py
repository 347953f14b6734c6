# SPDX-License-Identifier: Apache-2.0
"""The emergency stop's services, and its latch that outlives the node."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from std_srvs.srv import Trigger
from vla_core.state import state_file

from vla_controller.arm_controller import ArmController
from vla_controller.health.estop_latch import EstopLatch
from vla_controller.ros import conversions


class EmergencyStop:
    """Serves ~/estop and ~/reset_estop."""

    def __init__(self, node: Node, controller: ArmController, hold_gripper: Callable[[], None]) -> None:
        """Create the services; a stop that an earlier life of the node was given holds from the start.

        ``hold_gripper`` is called with every emergency stop.
        """
        self._hold_gripper = hold_gripper
        self._controller, self._log = controller, node.get_logger()
        domain, robot = node.context.get_domain_id(), controller.config.robot
        self._latch = EstopLatch(state_file("estop", domain, node.get_namespace(), robot))
        since = self._latch.since()
        if since:
            controller.estop()
            self._log.error(
                f"the emergency stop of {since} is still latched ({self._latch.path}): nothing moves until "
                f"{node.get_name()}/reset_estop is called and a new instruction given"
            )
        node.create_service(Trigger, "~/estop", self._on_estop)
        node.create_service(Trigger, "~/reset_estop", self._on_reset)

    def _on_estop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._controller.estop()
        self._hold_gripper()
        return conversions.answer(response, None, self._told("decelerating; latched until reset", self._latch.set()))

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        refusal = self._controller.reset_estop()
        problem = "" if refusal is not None else self._latch.clear()
        return conversions.answer(response, refusal, self._told("reset; give a new instruction to move", problem))

    def _told(self, text: str, problem: str) -> str:
        if problem:
            self._log.error(problem)
        return f"{text}; {problem}" if problem else text
