# SPDX-License-Identifier: Apache-2.0
"""The node teleop_node: reads one device, sends what the person wants, shows what the arm does."""

from __future__ import annotations

import os
import socket
import sys
import time

from rclpy.clock import Clock, ClockType
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings

from vla_operator.ros.teleop.commander import Commander
from vla_operator.ros.teleop.topics import JoyTopic, StampedTopics
from vla_operator.settings import TeleopSettings
from vla_operator.teleop.driver import Driver
from vla_operator.teleop.gamepad import Gamepad
from vla_operator.teleop.mapping import load_mapping
from vla_operator.teleop.reading import DeviceError, DeviceLostError, Reading
from vla_operator.teleop.screen import describe, instructions
from vla_operator.teleop.terminal import Terminal

_POLL = 0.01  # [s] between two readings of a device
_SHOW = 0.2  # [s] between two lines of state


class TeleopNode(ManagedNode):
    """Wires a device to the controller."""

    UNUSABLE = (*ManagedNode.UNUSABLE, DeviceError)

    def __init__(self) -> None:
        """Declare parameters; raises SettingsError for an invalid one."""
        super().__init__("teleop_node")
        self._settings = declare_settings(self, TeleopSettings)

    def configure(self) -> None:
        """Open the device.

        Raises:
            SettingsError: the mapping cannot be used.
            DeviceError: the device is not there.
        """
        settings = self._settings
        self._driver: Driver | None = None
        self._topics: StampedTopics | None = None
        self._terminal: Terminal | None = None
        self._lost, self._shown = False, 0.0
        self._commander = Commander(self, settings, settings.name or _own_name(settings.device))
        if settings.device == "topic":
            self._topics = StampedTopics(self, settings, self._commander)
        else:
            mapping = load_mapping(settings.mapping or settings.device)
            self._driver = Driver(mapping, settings.linear_speed, settings.angular_speed, settings.speed)
            self._driver.frame = settings.frame or mapping.frame
            print(instructions(mapping), flush=True)
            self._device = self._open()
        self.create_timer(_POLL, self._poll, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(f"{self._commander.device} drives on {settings.command_topic}")

    def deactivate(self) -> None:
        """Open the deadman; a device that was lost is silent instead, and the controller stops the arm by that."""
        if not self._lost:
            self._commander.let_go(time.monotonic())

    def _open(self) -> JoyTopic | Gamepad | Terminal:
        if self._settings.device == "keyboard":
            self._terminal = Terminal()
            return self.releases.enter_context(self._terminal)
        if self._settings.device == "gamepad":
            return self.releases.enter_context(Gamepad(self._settings.gamepad))
        return JoyTopic(self, self._settings)

    def _poll(self) -> None:
        now = time.monotonic()
        if self._lost or self.ending:
            return
        if self._topics is not None and self.active:
            self._topics.poll(now)
        elif self._driver is not None:
            self._drive(self._driver, now)
        if now - self._shown >= _SHOW:
            self._shown = now
            self._show()

    def _drive(self, driver: Driver, now: float) -> None:
        try:
            reading = self._device.read()
        except DeviceLostError as error:
            self._lose(error, now)
            return
        if reading is None or not self.active:
            driver.read(Reading())
            return
        wish = driver.read(reading, self._commander.gripper)
        if driver.quit or (self._terminal is not None and self._terminal.interrupted):
            self.end()
        elif self._commander.base_frame:
            self._commander.send_wish(wish, now, reading.age)

    def _lose(self, error: DeviceLostError, now: float) -> None:
        self._lost = True
        if self._commander.holds:
            self._commander.stand(held=True, now=now)  # and nothing more: silence stops everything, by name
        self.get_logger().error(f"{error}; the arm holds")
        self.failure = str(error)
        self.end()

    def _show(self) -> None:
        line = describe(self._commander.device, self._driver, self._commander.status)
        if self._terminal is not None:
            self._terminal.show(line)
        elif sys.stdout.isatty():
            print(f"\r\x1b[K{line}", end="", flush=True)


def _own_name(device: str) -> str:
    return f"{device}@{socket.gethostname()[:32]}-{os.getpid()}"
