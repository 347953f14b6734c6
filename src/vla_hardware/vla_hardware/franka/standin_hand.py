# SPDX-License-Identifier: Apache-2.0
"""The hand of franky-sim among things that are simulated elsewhere."""

from __future__ import annotations

import socket
from typing import Any

HAND_PORT = 1339


def answering_server() -> type[Any]:
    """Return franky-sim's server of a hand, answering a command that a stop or another one ends, as a real hand does.

    The original forgets such a command, and libfranka waits for the answer for ever.
    """
    from franky_sim.franka_gripper_protocol import GripperCommandStatus
    from franky_sim.franka_gripper_server import FrankaGripperServer
    from franky_sim.franka_server import BaseCommand

    class HandServer(FrankaGripperServer):  # type: ignore[misc]
        """Tells the end of every command."""

        _pending_command_id: int | None

        def stop(self, *arguments: Any) -> None:
            self._abort()
            super().stop(*arguments)

        def _start_motion(self, *arguments: Any) -> None:
            self._abort()
            super()._start_motion(*arguments)

        def _abort(self) -> None:
            if self._pending_command_id is not None:
                pending = (self._pending_tcp_socket, self._pending_command_type, self._pending_command_id)
                forms = {"command_type_struct": "H", "status_type_struct": "H"}
                BaseCommand.send_response(*pending, GripperCommandStatus.kAborted, **forms)
                self._pending_command_id = None

    return HandServer


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
