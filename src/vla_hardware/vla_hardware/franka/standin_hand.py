# SPDX-License-Identifier: Apache-2.0
"""The hand of franky-sim among things that are simulated elsewhere."""

from __future__ import annotations

import socket
from typing import Any

HAND_PORT = 1339


class Fingers:
    """Lets the hand stop at something that another simulation says is between the fingers.

    Each datagram on `HAND_PORT` is one number as text: the width [m] that the fingers cannot close below.
    """

    def __init__(self, robot: Any, address: str) -> None:
        """Wrap the goals of `robot`'s hand."""
        self._robot, self._least, self._goal = robot, 0.0, robot._hand_goal_width
        self._set_goal = robot.set_hand_goal
        robot.set_hand_goal = self._go
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((address, HAND_PORT))

    def _go(self, width: float, max_velocity: float, max_force: float) -> None:
        self._goal = width
        self._set_goal(width, max_velocity, max_force)

    def meet(self) -> None:
        """Take what came, and hold the hand's goal at it."""
        try:
            while True:
                self._least = float(self._socket.recv(64))
        except (BlockingIOError, ValueError):
            pass
        self._robot._hand_goal_width = max(self._goal, self._least)
