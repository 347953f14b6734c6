# SPDX-License-Identifier: Apache-2.0
"""The node of the console: the graph's state to the pages, the pages' commands to the graph."""

from __future__ import annotations

import json
import os
from typing import Any

from rclpy.clock import Clock, ClockType
from vla_core.health import Health, Level
from vla_core.robot import RobotConfig, load_robot_config
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings

from vla_console.background import serving
from vla_console.errors import ServerError
from vla_console.hub import Hub
from vla_console.ros.cameras import Cameras
from vla_console.ros.operations import GraphOperations
from vla_console.ros.view import GraphView
from vla_console.server import ConsoleServer
from vla_console.settings import ConsoleSettings

LOOK_S = 1.0  # [s] between looks at the graph for cameras and services, and between diagnostics
NICENESS = 5  # below the nodes that move the arm


class ConsoleNode(ManagedNode):
    """Serves the page. Inactive, it shows, and takes "stop" alone."""

    UNUSABLE = (*ManagedNode.UNUSABLE, ServerError)

    def __init__(self) -> None:
        super().__init__("console_node")
        self._settings = declare_settings(self, ConsoleSettings)

    def configure(self) -> None:
        """Create the entities and the server. Raises SettingsError, RobotConfigError, ServerError."""
        settings = self._settings
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        robot = load_robot_config(settings.robot_config)
        self._hub = Hub()
        self._view = GraphView(self)
        self._cameras = Cameras(self, settings.camera_rate, settings.jpeg_quality, self._hub.post)
        self.releases.callback(self._cameras.close)
        self._operations = GraphOperations(self, settings, robot.base_frame, lambda: self._view.age("operator"))
        server = ConsoleServer(settings, self._hub, self._operations, self.get_logger().info)
        self.address = self.releases.enter_context(serving(server))
        self._hub.post("about", json.dumps({"is": "about", **self._about(robot)}))
        self._posted: dict[str, str] = {}
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0 / settings.state_rate, self._tell, clock=steady)
        self.create_timer(LOOK_S, self._look, clock=steady)
        self._diagnostics = DiagnosticsPublisher(self, {"console": self._assess})
        self.get_logger().info(f"console: {self.address}")

    def activate(self) -> None:
        """Take commands."""
        self._operations.active = True

    def deactivate(self) -> None:
        """Take no commands but "stop"; hands that hold the arm are silent from now on."""
        self._operations.active = False

    def _about(self, robot: RobotConfig) -> dict[str, Any]:
        limits = robot.limits
        return {
            "robot": robot.robot,
            "namespace": self.get_namespace(),
            "joints": list(robot.joints),
            "lower": limits.lower.tolist(),
            "upper": limits.upper.tolist(),
            "speed": limits.velocity.tolist(),
            "motion_budget": self._settings.motion_budget,
            "linear_speed": self._settings.teleop_linear_speed,
        }

    def _tell(self) -> None:
        """Post the state, while somebody watches."""
        if not self._hub.watchers:
            return
        state = {**self._view.state(), "cameras": self._cameras.state(), "watchers": self._hub.watchers}
        self._hub.post("state", json.dumps({"is": "state", **state}, allow_nan=False))
        self._post_changed("history", {"is": "history", "rows": list(self._view.history)})
        self._post_changed("goal", {"is": "goal", "status": self._view.goal()})

    def _look(self) -> None:
        watched = self._hub.watchers > 0
        self._cameras.look(watched)
        if not watched:
            self._posted.clear()
            return
        offers = {"is": "offers", "actions": self._operations.offers(), "speech": self._operations.listens()}
        self._post_changed("offers", offers)
        self._post_changed("diagnostics", {"is": "diagnostics", "rows": self._view.diagnostics()})
        self._post_changed("log", {"is": "log", "rows": list(self._view.logs)})

    def _post_changed(self, key: str, data: dict[str, Any]) -> None:
        text = json.dumps(data, allow_nan=False)
        if self._posted.get(key) != text:
            self._posted[key] = text
            self._hub.post(key, text)

    def _assess(self) -> Health:
        return Health(Level.OK, "ok", f"{self._hub.watchers} pages", {"address": self.address})
