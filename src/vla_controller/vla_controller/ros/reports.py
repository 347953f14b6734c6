# SPDX-License-Identifier: Apache-2.0
"""What the node says of itself: status at every tick, diagnostics every second."""

from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from vla_core.ros.diagnostics import diagnostics_name

from vla_controller.arm_controller import ArmController
from vla_controller.health.health import Health, diagnose, diagnose_latency
from vla_controller.health.motion_latency import MotionLatency
from vla_controller.health.tick_times import TickTimes
from vla_controller.motion.setpoint import ControllerState, Setpoint
from vla_controller.ros import conversions
from vla_controller.settings import NodeSettings
from vla_controller.teleop.ownership import ownership
from vla_msgs.msg import ControllerStatus


class Reports:
    """Publishes the controller's status and diagnostics."""

    def __init__(self, node: Node, settings: NodeSettings, controller: ArmController) -> None:
        """Create the publishers."""
        self._node, self._settings, self._controller = node, settings, controller
        self._joints = list(controller.config.joints)
        self._times = TickTimes(round(60.0 * settings.rate))
        self.latency = MotionLatency()
        self._name = diagnostics_name(node)
        self._logged: tuple[ControllerState, str] | None = None
        self._refused_before = 0
        self._status = node.create_publisher(ControllerStatus, settings.status_topic, 10)
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)

    def tick(self, setpoint: Setpoint | None, now: float, start: float, instruction_sequence: int) -> None:
        """Say what a tick at ``now`` [s] did that began at ``start`` [s] of the monotonic clock.

        ``instruction_sequence`` is that of the latest instruction received.
        """
        controller = self._controller
        compute = time.monotonic() - start
        report = conversions.TickReport(
            now=now,
            measured=controller.watch.q,
            ee_setpoint=None if setpoint is None else controller.kinematics.fk(setpoint.q),
            tick_period=self._times.add(start, compute),
            compute_time=compute,
            chunks_accepted=controller.chunks_accepted,
            steps_late=controller.intake.steps_late,
            latency_budget=controller.intake.timing.budget,
            pace=controller.intake.pace,
            refusals=controller.log.entries(),
            ownership=ownership(controller),
            instruction_sequence=instruction_sequence,
            waiting=controller.watch.waiting(),
        )
        self._status.publish(conversions.status_to_msg(setpoint, report, self._joints, controller.config.base_frame))
        if setpoint is None:
            return
        self.latency.add_setpoint(now, setpoint.q)
        if (setpoint.state, setpoint.reason) != self._logged:
            self._logged = (setpoint.state, setpoint.reason)
            if setpoint.reason:
                self._node.get_logger().info(f"{setpoint.state.name.lower()}: {setpoint.reason}")

    def second(self, setpoint: Setpoint | None, interface: Health) -> None:
        """Publish diagnostics; ``interface``: how the arm's controller is configured."""
        controller = self._controller
        stamp = self._node.get_clock().now()
        health = diagnose(setpoint, controller, self._times, self._refused_before)
        self._refused_before = controller.log.total()
        self.latency.update(stamp.nanoseconds * 1e-9)
        latency = diagnose_latency(self.latency.summary(), self._settings.motion_budget)
        rows = {"controller": health, "latency": latency, "arm interface": interface}
        self._diagnostics.publish(
            conversions.diagnostics_to_msg(stamp.to_msg(), self._name, controller.config.robot, rows)
        )
