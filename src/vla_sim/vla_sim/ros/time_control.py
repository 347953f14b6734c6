# SPDX-License-Identifier: Apache-2.0
"""Simulated time for ROS: `clock`, and the services that pause and step the world."""

from __future__ import annotations

from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool, Trigger
from vla_core.ros.time import time_from_ns

from vla_sim.run.clock import SimulatedClock
from vla_sim.run.physics import PhysicsLoop
from vla_sim.world.scene import TIMESTEP

STEP_TIMEOUT_S = 30.0
WALL_CLOCK = "the simulator runs on the wall clock; start it with sim_time:=true"


class TimeControl:
    """`~/pause` (std_srvs/SetBool) and `~/step` (std_srvs/Trigger); both are refused on the wall clock."""

    def __init__(self, node: Node, physics: PhysicsLoop, clock: SimulatedClock | None, step_size: float) -> None:
        """`step_size`: simulated by one call of `~/step` [s]."""
        self._physics, self._clock = physics, clock
        self.step_size = step_size
        self._ticks = node.create_publisher(Clock, "clock", 10) if clock else None
        node.create_service(SetBool, "~/pause", self._on_pause)
        node.create_service(Trigger, "~/step", self._on_step)

    def publish(self) -> None:
        """Publish simulated time on `clock`; nothing on the wall clock."""
        if self._ticks is not None and self._clock is not None:
            self._ticks.publish(Clock(clock=time_from_ns(self._clock.stamp_ns())))

    def set_speed(self, speed: float) -> str:
        """Change the real-time factor; return why not, or an empty text."""
        if self._clock is None:
            return "" if speed == 1.0 else WALL_CLOCK
        self._physics.set_speed(speed)
        return ""

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if self._clock is None:
            response.message = WALL_CLOCK
            return response
        self._physics.pause(request.data)
        response.success = True
        response.message = f"{'paused' if request.data else 'running'} at {self._clock.now():.3f} s"
        return response

    def _on_step(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._clock is None or not self._physics.paused:
            response.message = (
                "only a paused simulation can be stepped; call ~/pause first" if self._clock else WALL_CLOCK
            )
            return response
        steps = max(1, round(self.step_size / TIMESTEP))
        response.success = self._physics.step(steps, STEP_TIMEOUT_S)
        response.message = f"paused at {self._clock.now():.3f} s"
        return response
