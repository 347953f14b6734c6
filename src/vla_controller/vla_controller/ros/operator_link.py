# SPDX-License-Identifier: Apache-2.0
"""What comes from the operator's side: instructions in order, and the sign of life of their intake."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import QoSProfile

from vla_controller.arm_controller import ArmController
from vla_controller.health.operator_lease import OperatorLease
from vla_controller.intake.instruction_order import InstructionOrder
from vla_controller.refusals import Refusal
from vla_controller.settings import NodeSettings
from vla_msgs.msg import Instruction, OperatorHeartbeat

INSTRUCTIONS = QoSProfile(depth=10)  # not latched: what was said before this node started moves nothing


class OperatorLink:
    """Passes instructions on to the controller, and stops it while nobody could say "stop"."""

    def __init__(
        self, node: Node, settings: NodeSettings, controller: ArmController, hold_gripper: Callable[[], None]
    ) -> None:
        """Create the subscriptions on ``node``; ``hold_gripper`` is called with every stop."""
        self._hold_gripper = hold_gripper
        self._controller, self._log = controller, node.get_logger()
        self._order = InstructionOrder()
        self._lease = OperatorLease(settings.operator_timeout)
        node.create_subscription(Instruction, settings.instruction_topic, self._on_instruction, INSTRUCTIONS)
        node.create_subscription(OperatorHeartbeat, settings.heartbeat_topic, self._on_heartbeat, 1)

    @property
    def received(self) -> int:
        """The highest sequence of an instruction that has come; 0: none."""
        return self._order.latest

    def tick(self) -> None:
        """Stop the arm where the intake has gone, or where an instruction has been lost."""
        now, controller = time.monotonic(), self._controller
        gone = self._lease.gone(now)
        if gone is not None and controller.permission.operator_gone is None and self._lease.begun:
            self._stop(gone)
        elif gone is None and controller.permission.operator_gone is not None:
            self._log.info("instruction_node is there; motion needs a new instruction")
        controller.permission.operator_gone = gone
        lost = self._lease.lost(self._order.latest, now)
        if lost is not None:
            self._stop(lost)

    def _stop(self, refusal: Refusal) -> None:
        self._controller.log.add(refusal)
        self._controller.stop(f"{refusal.name}: {refusal.reason}")
        self._hold_gripper()
        self._log.warning(f"{refusal.name}: {refusal.reason}")

    def _on_heartbeat(self, msg: OperatorHeartbeat) -> None:
        self._lease.announce(msg.sequence, self._order.latest, time.monotonic())

    def _on_instruction(self, msg: Instruction) -> None:
        refusal = self._order.take(msg.sequence)
        if (
            msg.kind != Instruction.KIND_TASK
        ):  # a stop, or what a newer intake knows: in doubt a stop, whatever its order
            self._controller.set_instruction(msg.id, stop=True)
            self._hold_gripper()
        elif refusal is not None and msg.id == self._controller.intake.instruction:
            return  # sent again, for somebody who did not have it
        elif refusal is not None:
            self._controller.log.add(refusal)
            self._log.warning(f"{refusal.name}: {msg.text[:80]!r}: {refusal.reason}")
        else:
            self._lease.renew(time.monotonic())
            self._controller.permission.operator_gone = None
            self._controller.set_instruction(msg.id)
