# SPDX-License-Identifier: Apache-2.0
"""A pad played over DDS to teleop_node in the running graph, and when the controller's setpoints answer."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Joy
from vla_core.ros.start import start_ros
from vla_core.ros.time import seconds_from_msg

from vla_demo.run.child import GraphEndedError, GraphProcess, find_vla_up
from vla_msgs.msg import ControllerStatus

START_S, TRIAL_S = 120.0, 3.0
PAD_PERIOD_S = 0.02
DRIVE_S = 0.6  # of each motion
_STILL = 1e-4  # [rad/s]
_SIDE, _DEADMAN = 0, 4  # axis and button of the mapping `joy`


class NoAnswerError(GraphEndedError):
    """The controller did not do what was waited for."""


class Pad:
    """Sends axes and buttons at 50 Hz, and keeps the controller's statuses."""

    def __init__(self, alive: Callable[[], None]) -> None:
        """``alive`` raises when the graph has ended."""
        self._alive, self._context = alive, Context()
        start_ros(context=self._context)
        self._node = rclpy.create_node("pad", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._publisher = self._node.create_publisher(Joy, "joy", 10)
        self._node.create_subscription(ControllerStatus, "vla/controller_status", self._on_status, 50)
        self._node.create_timer(PAD_PERIOD_S, self._send)
        self.side, self.held, self.sending = 0.0, False, True
        self.statuses: list[ControllerStatus] = []

    def set(self, side: float, held: bool, sending: bool = True) -> float:
        """Move the stick, close or open the deadman, at once; return the time [s] of that."""
        now = float(self._node.get_clock().now().nanoseconds * 1e-9)
        if not sending:
            self._send()  # the last that is heard
        self.side, self.held, self.sending = side, held, sending
        self._send()
        return now

    def heard(self) -> bool:
        """Return whether teleop_node listens."""
        return bool(self._publisher.get_subscription_count())

    def wait(self, condition: Callable[[], Any], timeout: float) -> Any:
        """Serve messages until ``condition`` gives something; raises NoAnswerError after ``timeout`` [s]."""
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise NoAnswerError(f"no answer in {timeout:g} s; latest status: {self.statuses[-1:]}")
            self._executor.spin_once(timeout_sec=0.05)
            self._alive()
        return found

    def first(self, after: float, moving: bool) -> ControllerStatus | None:
        """Return the first status of a tick after a time [s] whose setpoint moves, or stands still."""
        later = (msg for msg in self.statuses if seconds_from_msg(msg.header.stamp) > after)
        return next((msg for msg in later if _moves(msg) == moving), None)

    def close(self) -> None:
        """Destroy the node."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _send(self) -> None:
        if self.sending:
            axes, buttons = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0], [0] * 8
            axes[_SIDE], buttons[_DEADMAN] = self.side, int(self.held)
            self._publisher.publish(Joy(axes=axes, buttons=buttons))

    def _on_status(self, msg: ControllerStatus) -> None:
        self.statuses = [*self.statuses[-400:], msg]


def _moves(msg: ControllerStatus) -> bool:
    return any(abs(value) > _STILL for value in msg.setpoint_velocity)


def measure(words: Sequence[str], rate: float, trials: int, log: Path) -> dict[str, list[float]]:
    """Return times [s] by name: `input_to_setpoint`, `deadman_to_rest`, `silence_to_rest`.

    A motion that the controller ended itself, because a busy machine's simulator did not follow, counts for nothing.
    """
    rows: dict[str, list[float]] = {"input_to_setpoint": [], "deadman_to_rest": [], "silence_to_rest": []}
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "vla_operator.teleop_node", "--ros-args", "-p", "device:=joy", "-p", "speed:=1.0"]
    with GraphProcess((str(find_vla_up()), *words), log) as graph:
        node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pad = Pad(graph.check)
        try:
            pad.wait(lambda: pad.statuses and pad.statuses[-1].state == ControllerStatus.STATE_HOLDING, START_S)
            pad.wait(pad.heard, START_S)
            for trial in range(trials):
                with contextlib.suppress(NoAnswerError):
                    _trial(pad, trial, rate, rows)
        finally:
            pad.close()
            node.terminate()
            node.wait()
    return rows


def _trial(pad: Pad, trial: int, rate: float, rows: dict[str, list[float]]) -> None:
    pad.set(0.0, held=False)
    _pause(pad, 0.3)
    pad.set(0.0, held=True)
    pad.wait(lambda: pad.statuses[-1].owner == ControllerStatus.OWNER_PERSON, TRIAL_S)
    _pause(pad, 0.3 + random.uniform(0.0, 1.0 / rate))
    pushed = pad.set(1.0 if trial // 2 % 2 else -1.0, held=True)
    answer = pad.wait(lambda: pad.first(pushed, moving=True), TRIAL_S)
    rows["input_to_setpoint"].append(seconds_from_msg(answer.header.stamp) + answer.compute_time - pushed)
    _pause(pad, DRIVE_S + random.uniform(0.0, 1.0 / rate))
    silent = trial % 2 == 1
    ended = pad.set(pad.side, held=silent, sending=not silent)
    if not _moves(pad.statuses[-1]):
        raise NoAnswerError("the motion was over before")
    rest = pad.wait(lambda: pad.first(ended, moving=False), TRIAL_S)
    name = "silence_to_rest" if silent else "deadman_to_rest"
    rows[name].append(seconds_from_msg(rest.header.stamp) + 1.0 / rate - ended)


def _pause(pad: Pad, seconds: float) -> None:
    end = time.monotonic() + seconds
    pad.wait(lambda: time.monotonic() >= end, seconds + 1.0)
