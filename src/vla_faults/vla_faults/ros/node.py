# SPDX-License-Identifier: Apache-2.0
"""The fault node: a relay on each arrow, and the service that begins and ends faults."""

from __future__ import annotations

import math
import time
from functools import partial

from vla_core.health import Health, Level
from vla_core.realtime import ask_for_real_time
from vla_core.robot import load_robot_config
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings

from vla_faults.arrows import arrows
from vla_faults.fault import NONE, Fault, FaultError
from vla_faults.ros.relay import Relay
from vla_faults.settings import FaultSettings
from vla_msgs.srv import InjectFault

PERIOD = 0.005  # [s] in which a delayed message is sent at the latest


class FaultNode(ManagedNode):
    """Wires the arrows of the graph to streams with faults."""

    def __init__(self) -> None:
        """Declare the parameters; raises SettingsError for an invalid one."""
        super().__init__("fault_node")
        self._settings = declare_settings(self, FaultSettings)
        self._relays: dict[str, Relay] = {}

    def configure(self) -> None:
        """Create the relays and the service; raises RobotConfigError."""
        robot = load_robot_config(self._settings.robot_config)
        found = arrows(robot.arm_command_topic, robot.gripper_command_topic, self._settings.clock)
        self._relays = {name: Relay(self, arrow, self._on_waiting) for name, arrow in found.items() if arrow.topic}
        self._delivery = self.create_timer(PERIOD, self._on_timer, autostart=False)
        self.create_service(InjectFault, "~/inject", self._on_inject)
        self._reports = DiagnosticsPublisher(self, {"faults": partial(health, self._relays)})
        self.get_logger().warning(f"faults can be injected into this graph, on: {', '.join(self._relays)}")

    def serve(self) -> None:
        """Serve with the priority of the controller, whose messages pass through here."""
        self.get_logger().info(ask_for_real_time())
        super().serve()

    def _on_timer(self) -> None:
        for relay in self._relays.values():
            relay.turn()
        if all(math.isinf(relay.stream.next_due) for relay in self._relays.values()):
            self._delivery.cancel()

    def _on_waiting(self) -> None:
        if self._delivery.is_canceled():
            self._delivery.reset()

    def _on_inject(self, request: InjectFault.Request, response: InjectFault.Response) -> InjectFault.Response:
        try:
            response.success, response.message = True, self._inject(request)
            self.get_logger().warning(response.message)
        except FaultError as error:
            response.success, response.message = False, str(error)
        return response

    def _inject(self, request: InjectFault.Request) -> str:
        if request.arrow not in self._relays and not (request.kind == NONE and not request.arrow):
            raise FaultError(f"arrow is {request.arrow!r}; valid: {', '.join(self._relays)}")
        chosen = [self._relays[request.arrow]] if request.arrow else list(self._relays.values())
        if request.kind == NONE:
            for relay in chosen:
                relay.stream.end()
            return f"no fault on {request.arrow or 'any arrow'}, at {time.time():.3f}"
        fault = Fault.parse(request.kind, request.magnitude, request.duration, request.seed)
        for relay in chosen:
            relay.begin(fault)
        return f"{request.arrow}: {fault.name}, magnitude {fault.magnitude:g}, at {time.time():.3f}"


def health(relays: dict[str, Relay]) -> Health:
    """Return which faults are in force."""
    faults = {name: relay.stream.fault for name, relay in relays.items()}
    names = [f"{name} {fault.name}" for name, fault in faults.items() if fault is not None]
    if not names:
        return Health(Level.OK, "ok", "no fault is injected")
    return Health(Level.WARN, "injected", f"injected: {', '.join(names)}")
