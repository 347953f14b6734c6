# SPDX-License-Identifier: Apache-2.0
"""A WidowX through its servos' bus: connect, check, hold, read, move, lower, recover. No ROS."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vla_core.robot import RobotConfig, RobotConfigError

from vla_hardware.franka.errors import ArmError, ArmFault
from vla_hardware.widowx import table
from vla_hardware.widowx.bus import ServoBus, SilentError
from vla_hardware.widowx.inspection import check_health, check_order, check_posture, find_servos, write_settings
from vla_hardware.widowx.servos import (
    CHAINS,
    GRIPPER,
    SLEEP,
    Servo,
    angle_to_finger,
    finger_to_angle,
    to_radians,
    to_ticks,
)
from vla_hardware.widowx.table import Register, hardware_errors

Array = NDArray[np.float64]
MOST_SILENT_S = 0.25  # [s] without an answer of a servo after which the arm is held
REBOOT_S = 0.5  # [s] until a servo answers again
LOWERED = 0.3  # [rad] from the sleep posture within which torque may be taken away


@dataclass(frozen=True, slots=True)
class WidowXOptions:
    """How an arm is set up when it is connected."""

    port: str = "/dev/ttyDXL"
    baud: int = 1_000_000
    read_only: bool = False
    period: float = 0.05  # [s] between two commands, in which a servo goes from one to the next
    reply: float = 0.004  # [s] within which a servo answers
    watchdog: float = 0.5  # [s] of silence on the bus after which the servos stop by themselves
    gripper_pwm: int = 300  # of 885: how hard the fingers press at most


@dataclass(frozen=True, slots=True)
class WidowXReading:
    """A state of the arm; `fingers`: how far each is from the middle [m]."""

    position: Array  # (n,) [rad]
    velocity: Array  # (n,) [rad/s]
    effort: Array  # (n,) [A]; of an XL430 the share of its strength
    fingers: float


class WidowXArm:
    """A connected arm. For one thread at a time."""

    def __init__(self, robot: RobotConfig, options: WidowXOptions) -> None:
        """Connect, check and set up the servos without moving them.

        Raises:
            ArmError: the arm cannot be reached, is another one, or is in no state to be driven.
        """
        if robot.robot not in CHAINS:
            raise RobotConfigError(f"robot_config is {robot.robot}; this driver knows: {', '.join(CHAINS)}")
        self._robot, self.options = robot, options
        self.servos = CHAINS[robot.robot]
        self._by_id = {servo.id: servo for servo in self.servos}
        leaders = {servo.joint: servo.id for servo in self.servos if not servo.leader}
        self._ids = [leaders[joint] for joint in robot.joints]
        self._gripper = leaders[GRIPPER]
        self._seen: dict[int, float] = {}  # [s] of each servo's latest answer
        self._latest: dict[int, bytes] = {}
        self._turn = 0
        self.temperatures: Counter[int] = Counter()  # [degrees C] by servo
        self.written = 0
        self.bus = ServoBus(options.port, options.baud, options.reply)
        try:
            self._inspect()
        except SilentError as error:
            raise ArmError(f"the bus on {options.port} is unreliable: {error}; check its cables") from error

    def _inspect(self) -> None:
        find_servos(self.bus, self.servos, self.options.port)
        check_health(self.bus, self.servos)
        check_order(self.bus, self.servos)
        if not self.options.read_only:
            self.written = write_settings(self.bus, self.servos)
        check_posture(self.bus, self.servos)

    @property
    def watchdog_units(self) -> int:
        """Value of Bus Watchdog."""
        return min(127, max(1, round(self.options.watchdog / table.WATCHDOG_UNIT)))

    def hold(self) -> None:
        """Give the servos torque where they are; the arm does not move. Raises ArmFault."""
        try:
            for servo in self.servos:
                self._hold(servo)
            for servo in self.servos:
                self.bus.write(servo.id, table.BUS_WATCHDOG, self.watchdog_units)
        except SilentError as error:
            raise ArmFault("servo_silent", f"{error}; check its cable") from error

    def _hold(self, servo: Servo) -> None:
        bus, profile = self.bus, round(1000.0 * self.options.period)
        bus.write(servo.id, table.BUS_WATCHDOG, 0)
        bus.write(servo.id, table.PROFILE_ACCELERATION, 0)
        bus.write(servo.id, table.PROFILE_VELOCITY, profile)
        if servo.joint == GRIPPER:
            bus.write(servo.id, table.GOAL_PWM, self.options.gripper_pwm)
        here = bus.read(servo.leader or servo.id, table.PRESENT_POSITION)
        bus.write(servo.id, table.GOAL_POSITION, min(servo.upper, max(servo.lower, here)))
        bus.write(servo.id, table.TORQUE_ENABLE, 1)

    def release(self) -> None:
        """Take the torque away; raises ArmError unless the arm is lowered, as it falls from anywhere else."""
        position = self._reading().position
        sleep = np.array([SLEEP[joint] for joint in self._robot.joints])
        resting = np.array([joint in ("shoulder", "elbow") for joint in self._robot.joints])
        gap = np.where(resting, np.abs(position - sleep), 0.0)
        if gap.max() > LOWERED:
            joint = self._robot.joints[int(gap.argmax())]
            raise ArmError(
                f"{joint} is {gap.max():.2f} rad away from its rest; valid: {LOWERED} rad; call ~/sleep first"
            )
        for servo in self.servos:
            self.bus.write(servo.id, table.BUS_WATCHDOG, 0)
            self.bus.write(servo.id, table.TORQUE_ENABLE, 0)

    def read(self, now: float) -> WidowXReading | None:
        """Return the state of the arm; None where an answer is missing, once.

        Raises:
            ArmFault: a servo reports an error, is silent for too long, or has stopped by its watchdog.
        """
        answers = self.bus.sync_read(self._by_id, table.STATE_ADDRESS, table.STATE_SIZE)
        for servo, (data, alert) in answers.items():
            self._seen[servo], self._latest[servo] = now, data
            if alert:
                raise self._alarm(servo)
        silent = [servo for servo in self._by_id if now - self._seen.setdefault(servo, now) > MOST_SILENT_S]
        if silent:
            labels = ", ".join(self._by_id[servo].label for servo in silent)
            raise ArmFault("servo_silent", f"{labels}: no answer for {MOST_SILENT_S} s; check cable and power")
        self._look_after()
        return self._reading() if len(answers) == len(self._by_id) else None

    def _alarm(self, servo: int) -> ArmFault:
        """Return the fault that a servo's hardware error is."""
        label = self._by_id[servo].label
        try:
            errors = hardware_errors(self.bus.read(servo, table.HARDWARE_ERROR))
        except SilentError as error:
            return ArmFault("servo_silent", f"{error}; check its cable")
        if not errors:
            return ArmFault("hardware_error", f"{label} reports an error that it does not name")
        return ArmFault(errors[0][0], f"{label}: {errors[0][1]}")

    def _look_after(self) -> None:
        """Read temperature or watchdog of one servo, another one each time, once: the next turn comes. Raises ArmFault.

        A late answer is that of another servo then, and is not taken for this one.
        """
        register = LOOKED_AFTER[self._turn // len(self.servos) % len(LOOKED_AFTER)]
        servo = self.servos[self._turn % len(self.servos)]
        self._turn += 1
        answer = self.bus.sync_read([servo.id], register.address, register.size).get(servo.id)
        if answer is None:
            return
        value = register.value(answer[0])
        if register is table.PRESENT_TEMPERATURE:
            self.temperatures[servo.id] = value
        elif value == table.WATCHDOG_EXPIRED:
            text = f"{servo.label} stopped by itself: the bus was silent; was the machine busy?"
            raise ArmFault("bus_watchdog", text)

    def _reading(self) -> WidowXReading:
        current, speed, ticks = (np.array([self._value(servo, row) for servo in self._ids]) for row in STATE)
        return WidowXReading(
            (ticks - table.CENTER) * table.RAD_PER_TICK,
            speed * table.RAD_S_PER_UNIT,
            current * table.AMPERE_PER_UNIT,
            angle_to_finger(to_radians(self._value(self._gripper, table.PRESENT_POSITION))),
        )

    def _value(self, servo: int, register: Register) -> float:
        """Return a register of the latest answer of a servo."""
        return float(register.value(self._latest[servo][register.address - table.STATE_ADDRESS :]))

    def move(self, position: Array | None, fingers: float | None) -> None:
        """Command joints (n,) [rad] and the way of each finger [m]; None: neither is commanded. Nobody answers."""
        goals: dict[int, int] = {}
        if position is not None:
            goals = {servo: to_ticks(float(angle)) for servo, angle in zip(self._ids, position, strict=True)}
        if fingers is not None:
            goals[self._gripper] = to_ticks(finger_to_angle(fingers))
        if goals:
            goals = {k: min(self._by_id[k].upper, max(self._by_id[k].lower, tick)) for k, tick in goals.items()}
            self.bus.sync_write(table.GOAL_POSITION, goals)

    def recover(self) -> None:
        """Restart servos with an error, and hold the arm where it is; raises ArmFault."""
        try:
            broken = [servo for servo in self.servos if self.bus.read(servo.id, table.HARDWARE_ERROR)]
            for servo in broken:
                self.bus.reboot(servo.id)
            if broken:
                time.sleep(REBOOT_S)
            check_health(self.bus, self.servos)
            check_posture(self.bus, self.servos)
        except SilentError as error:
            raise ArmFault("servo_silent", f"{error}; check its cable") from error
        self._seen.clear()
        self.hold()

    def close(self) -> None:
        """Close the port; the servos hold the arm."""
        self.bus.close()


LOOKED_AFTER = (table.PRESENT_TEMPERATURE, table.BUS_WATCHDOG)
STATE = (table.PRESENT_CURRENT, table.PRESENT_VELOCITY, table.PRESENT_POSITION)
