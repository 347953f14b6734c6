# SPDX-License-Identifier: Apache-2.0
"""The controller behind its messages: whatever they say, setpoints stay finite and inside the limits."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from control_msgs.action import FollowJointTrajectory
from sensor_msgs.msg import JointState
from vla_controller.arm_controller import ArmController
from vla_controller.bench.rig import Bench, broken_limits
from vla_controller.health.operator_lease import OperatorLease
from vla_controller.intake.instruction_order import InstructionOrder
from vla_controller.ros.conversions import joints_from_msg
from vla_controller.ros.teleop import command_from_msg
from vla_controller.ros.trajectory_server import goal_from_msg
from vla_controller.teleop.command import in_base
from vla_controller.trajectory.goal import GoalError
from vla_core.robot import load_robot_config
from vla_core.ros.action import chunk_from_msg
from vla_core.ros.time import seconds_from_msg, time_from_seconds

from vla_msgs.msg import ActionChunk, Instruction, OperatorHeartbeat, TeleopCommand
from vla_trust.fuzz.target import PromiseError

DT = 0.05  # [s] between ticks
WINDOW = 40  # setpoints after which limits are checked
RESTART = 2000  # ticks after which the arm begins at home again


class ControllerUnderTest:
    """A controller on a bench that every message is given to, followed by a tick."""

    def __init__(self) -> None:
        """Build nothing yet."""
        self._bench: Bench | None = None
        self._order, self._lease = InstructionOrder(), OperatorLease(1.0)
        self._ticks = 0

    def begin(self) -> None:
        """Build the controller, which takes seconds."""
        self._ready()

    def chunk(self, message: ActionChunk) -> None:
        """Take a chunk as controller_node does."""
        bench = self._ready()
        self._stamp(message, bench.now - 0.1)
        bench.controller.accept(chunk_from_msg(message, bench.controller.settings.max_steps), bench.now)
        self._tick()

    def joint_state(self, message: JointState) -> None:
        """Take joint states among true ones."""
        bench = self._ready()
        self._stamp(message, bench.now)
        found = joints_from_msg(message, list(bench.controller.config.joints))
        if found is not None:
            stamp = seconds_from_msg(message.header.stamp)
            bench.controller.update_joint_state(min(stamp, bench.now), *found)
        self._tick()

    def teleop(self, message: TeleopCommand) -> None:
        """Take a person's command."""
        bench = self._ready()
        self._stamp(message, bench.now)
        command = in_base(command_from_msg(message), bench.controller.config.base_frame, None)
        bench.controller.teleop.take(command, bench.now)
        self._tick()

    def trajectory(self, message: FollowJointTrajectory.Goal) -> None:
        """Take a planned trajectory."""
        bench = self._ready()
        with contextlib.suppress(GoalError):
            bench.controller.start_trajectory(goal_from_msg(message), bench.now)
        self._tick()

    def instruction(self, message: Instruction) -> None:
        """Take an instruction in its order."""
        bench = self._ready()
        refusal = self._order.take(message.sequence)
        if message.kind != Instruction.KIND_TASK:
            bench.controller.set_instruction(message.id, stop=True)
        elif refusal is None:
            bench.controller.set_instruction(message.id)
        self._tick()

    def heartbeat(self, message: OperatorHeartbeat) -> None:
        """Take a sign of life of the intake."""
        now = time.monotonic()
        self._lease.announce(message.sequence, self._order.latest, now)
        self._lease.lost(self._order.latest, now)
        self._lease.gone(now)

    def _ready(self) -> Bench:
        """Return the bench, from home again now and then, with an instruction that chunks serve."""
        if self._bench is None:
            self._bench = Bench(ArmController(load_robot_config("fr3"), DT), DT)
        elif self._ticks >= RESTART or len(self._bench.setpoints) > RESTART:
            self._bench = Bench(self._bench.controller, DT)
            self._ticks, self._order = 0, InstructionOrder()
        controller = self._bench.controller
        if controller.intake.instruction != "a" or controller.intake.stopped:
            controller.set_instruction("a")
        return self._bench

    def _stamp(self, message: Any, now: float) -> None:
        """Stamp a message that has none with a time that the controller takes."""
        if message.header.stamp.sec == 0 and message.header.stamp.nanosec == 0:
            message.header.stamp = time_from_seconds(max(0.0, now))

    def _tick(self) -> None:
        bench = self._bench
        assert bench is not None
        bench.tick()
        self._ticks += 1
        if self._ticks % WINDOW == 0:
            broken = broken_limits(bench.setpoints[-WINDOW - 2 :], bench.controller.config.limits, DT)
            if broken:
                raise PromiseError("; ".join(violation.text for violation in broken))
