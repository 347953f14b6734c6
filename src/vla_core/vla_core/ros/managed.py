# SPDX-License-Identifier: Apache-2.0
"""Base of every node of the stack: how it is served until the process ends."""

from __future__ import annotations

from typing import ClassVar

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from vla_core.robot import RobotConfigError
from vla_core.ros.process import Ending
from vla_core.settings import SettingsError


class ManagedNode(Node):
    """A node that `vla_core.ros.process.run_node` makes, serves and destroys."""

    UNUSABLE: ClassVar[tuple[type[Exception], ...]] = (SettingsError, RobotConfigError)  # exit status 2

    failure: str = ""  # why the process is to end with status 1

    def __init__(self, name: str) -> None:
        """Create the node `name`."""
        super().__init__(name)
        self._ended = Future()

    def serve(self, ending: Ending) -> None:
        """Serve callbacks until `ending` is requested or `end` is called."""
        executor = SingleThreadedExecutor()
        executor.add_node(self)
        ending.then(self.end)
        executor.spin_until_future_complete(self._ended)
        executor.remove_node(self)
        executor.shutdown()

    def end(self) -> None:
        """Let `serve` return; may be called from any thread."""
        self._ended.set_result(None)
