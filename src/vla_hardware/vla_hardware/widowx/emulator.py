# SPDX-License-Identifier: Apache-2.0
"""A bus of X-series servos on a pseudo-terminal (protocol 2.0), with faults on request: for tests and figures.

Written from the maker's e-manual, without the SDK that the driver uses: each checks the other.
"""

from __future__ import annotations

import os
import random
import select
import sys
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass, field

from vla_core.realtime import ask_for_real_time

from vla_hardware.widowx import table
from vla_hardware.widowx.protocol import cut, pack, unstuff
from vla_hardware.widowx.servos import SLEEP, WX250S, Servo
from vla_hardware.widowx.table import EEPROM_END, WATCHDOG_UNIT, Register

PING, READ, WRITE, REBOOT, SYNC_READ, SYNC_WRITE, STATUS = 0x01, 0x02, 0x03, 0x08, 0x82, 0x83, 0x55
RANGE, LIMIT, ACCESS = 4, 6, 7  # errors of a status packet
SIZE = 150  # [bytes] of the control table that is kept
TOP_SPEED = 131  # [0.229 rev/min]
ROOM_TEMPERATURE = 32  # [degrees C]
OPEN = 0.5  # [rad] of the gripper's servo
GOALS = range(100, 120)  # addresses that an expired watchdog locks


@dataclass
class Faults:
    """What goes wrong on the bus; change it at any time."""

    lost: float = 0.0  # share of the status packets that are lost
    damaged: float = 0.0  # share with a wrong checksum
    late: float = 0.0  # share that come `delay` after their time
    delay: float = 0.02  # [s]
    silent: set[int] = field(default_factory=set)  # servos without a cable


class EmulatedServo:
    """One servo: its control table, and a position that follows the goal by the profile of time."""

    def __init__(self, servo: Servo, angle: float) -> None:
        """Stand at `angle` [rad] without torque, with the maker's settings."""
        self.servo, self.memory = servo, bytearray(SIZE)
        self._begun = self._until = 0.0  # [s] of the present motion
        self._from = self._to = float(table.CENTER + angle / table.RAD_PER_TICK)
        self.blocked = False
        self.last_instruction = 0.0
        self.put(table.MODEL_NUMBER, servo.model)
        self.put(table.DRIVE_MODE, servo.drive_mode & table.REVERSE)
        self.put(table.OPERATING_MODE, table.POSITION_CONTROL)
        self.put(table.SECONDARY_ID, servo.secondary_id)
        self.put(table.TEMPERATURE_LIMIT, 80)
        self.put(table.VELOCITY_LIMIT, TOP_SPEED)
        self.put(table.MAX_POSITION, servo.upper)
        self.put(table.MIN_POSITION, servo.lower)
        self.put(table.SHUTDOWN, table.PROTECTION)
        self.put(table.PRESENT_TEMPERATURE, ROOM_TEMPERATURE)

    def get(self, register: Register) -> int:
        """Return the value of a register."""
        return register.value(self.memory[register.address :])

    def put(self, register: Register, value: int) -> None:
        """Set a register, as the servo itself does."""
        self.memory[register.address : register.address + register.size] = register.data(value)

    def place(self, now: float) -> float:
        """Return the position [ticks] at `now` [s]."""
        if now >= self._until or self.blocked:
            return self._from if self.blocked else self._to
        return self._from + (self._to - self._from) * (now - self._begun) / (self._until - self._begun)

    def move_by_hand(self, ticks: float) -> None:
        """Be elsewhere, at rest."""
        self._from = self._to = ticks
        self._until = 0.0

    def fail(self, bit: int) -> None:
        """Have a hardware error; what Shutdown protects against takes the torque away."""
        self.put(table.HARDWARE_ERROR, self.get(table.HARDWARE_ERROR) | 1 << bit)
        if self.get(table.SHUTDOWN) >> bit & 1:
            self.put(table.TORQUE_ENABLE, 0)

    def reboot(self, now: float) -> None:
        """Forget all but the EEPROM."""
        self.move_by_hand(self.place(now))
        temperature = self.get(table.PRESENT_TEMPERATURE)
        self.memory[EEPROM_END:] = bytes(SIZE - EEPROM_END)
        self.put(table.PRESENT_TEMPERATURE, temperature)

    def look(self, now: float) -> None:
        """Bring what is measured up to `now` [s]; stop where the bus was silent for too long."""
        limit = self.get(table.BUS_WATCHDOG)
        if limit > 0 and self.get(table.TORQUE_ENABLE) and now - self.last_instruction > limit * WATCHDOG_UNIT:
            self.move_by_hand(self.place(self.last_instruction + limit * WATCHDOG_UNIT))
            self.put(table.BUS_WATCHDOG, table.WATCHDOG_EXPIRED)
        place = self.place(now)
        moving = not self.blocked and now < self._until
        speed = (self._to - self._from) / (self._until - self._begun) * table.RAD_PER_TICK if moving else 0.0
        self.put(table.PRESENT_POSITION, round(place))
        self.put(table.PRESENT_VELOCITY, round(speed / table.RAD_S_PER_UNIT))
        self.last_instruction = now

    def write(self, address: int, data: bytes, now: float) -> int:
        """Take a write; return the error of the status packet."""
        if address < EEPROM_END and self.get(table.TORQUE_ENABLE):
            return ACCESS
        if address in GOALS and self.get(table.BUS_WATCHDOG) == table.WATCHDOG_EXPIRED:
            return RANGE
        if address == table.GOAL_POSITION.address:
            goal = table.GOAL_POSITION.value(data)
            if not self.get(table.MIN_POSITION) <= goal <= self.get(table.MAX_POSITION):
                return LIMIT
            self._head(goal, now)
        if address == table.TORQUE_ENABLE.address and self.get(table.HARDWARE_ERROR) and data[0]:
            return ACCESS
        self.memory[address : address + len(data)] = data
        return 0

    def _head(self, goal: int, now: float) -> None:
        if not self.get(table.TORQUE_ENABLE):
            return
        profile = self.get(table.PROFILE_VELOCITY)
        place = self.place(now)
        if self.get(table.DRIVE_MODE) & table.TIME_PROFILE:
            seconds = profile / 1000.0
        else:
            speed = table.RAD_S_PER_UNIT * (profile or TOP_SPEED)
            seconds = abs(goal - place) * table.RAD_PER_TICK / speed
        least = abs(goal - place) * table.RAD_PER_TICK / (table.RAD_S_PER_UNIT * TOP_SPEED)
        self._from, self._to, self._begun, self._until = place, float(goal), now, now + max(seconds, least)


class EmulatedBus:
    """Servos behind one serial port; a context manager. `port` is its name."""

    def __init__(
        self,
        angles: Callable[[Servo], float] = lambda servo: 0.0,
        servos: tuple[Servo, ...] = WX250S,
        seed: int = 0,
        baud: int = 1_000_000,
    ) -> None:
        """`angles` [rad] where each servo stands; bytes take the time that they take at `baud`."""
        self.servos = {servo.id: EmulatedServo(servo, angles(servo)) for servo in servos}
        self.faults, self._byte_s, self._random = Faults(), 10.0 / baud, random.Random(seed)
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.port, self._slave = os.ttyname(slave), slave
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> EmulatedBus:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)

    def _run(self) -> None:
        buffer = b""
        while not self._ending.is_set():
            if select.select([self._master], [], [], 0.05)[0]:
                buffer += os.read(self._master, 4096)
                buffer, packets = cut(buffer)
                for packet in packets:
                    self._take(packet, time.monotonic())

    def _take(self, packet: bytes, now: float) -> None:
        """Obey one instruction packet."""
        time.sleep(self._byte_s * len(packet))
        target, instruction = packet[4], packet[7]
        parameters = unstuff(packet[8:-2])
        for servo in self.servos.values():
            servo.look(now)
        if instruction == SYNC_READ:
            address, size = (int.from_bytes(parameters[k : k + 2], "little") for k in (0, 2))
            self._answer([(i, 0, self._part(i, address, size)) for i in parameters[4:] if i in self.servos])
        elif instruction == SYNC_WRITE:
            address, size = (int.from_bytes(parameters[k : k + 2], "little") for k in (0, 2))
            for k in range(4, len(parameters), size + 1):
                self._write(parameters[k], address, parameters[k + 1 : k + 1 + size], now)
        elif target in self.servos:
            self._answer([(target, *self._single(target, instruction, parameters, now))])

    def _single(self, target: int, instruction: int, parameters: bytes, now: float) -> tuple[int, bytes]:
        """Return error and data of the answer to an instruction for one servo."""
        servo = self.servos[target]
        if instruction == PING:
            return 0, bytes(servo.memory[0:2]) + b"\x2d"
        if instruction == REBOOT:
            servo.reboot(now)
            return 0, b""
        address = int.from_bytes(parameters[:2], "little")
        if instruction == READ:
            return 0, self._part(target, address, int.from_bytes(parameters[2:4], "little"))
        return self._write(target, address, parameters[2:], now), b""

    def _part(self, target: int, address: int, size: int) -> bytes:
        return bytes(self.servos[target].memory[address : address + size])

    def _write(self, target: int, address: int, data: bytes, now: float) -> int:
        """Write to the servo `target`, and to its shadows, which do not answer."""
        error = 0
        for servo in self.servos.values():
            if servo.servo.id in self.faults.silent:
                continue
            if servo.servo.id == target:
                error = servo.write(address, data, now)
            elif servo.get(table.SECONDARY_ID) == target:
                servo.write(address, data, now)
        return error

    def _answer(self, answers: list[tuple[int, int, bytes]]) -> None:
        """Send status packets, one after the other, with the faults that are asked for."""
        faults, draw = self.faults, self._random.random
        for target, error, data in answers:
            alert = 0x80 if self.servos[target].get(table.HARDWARE_ERROR) else 0
            packet = pack(target, STATUS, bytes((error | alert,)) + data)
            time.sleep(self._byte_s * len(packet))
            if target in faults.silent or draw() < faults.lost:
                continue
            if draw() < faults.damaged:
                packet = packet[:-1] + bytes((packet[-1] ^ 0x55,))
            if draw() < faults.late:
                time.sleep(faults.delay)
            os.write(self._master, packet)


def main() -> int:
    """Serve a WidowX 250 S in its sleep posture until standard input ends; the first line of output is the port."""
    ask_for_real_time()
    with EmulatedBus(lambda servo: SLEEP.get(servo.joint, OPEN)) as bus:
        print(bus.port, flush=True)
        for line in sys.stdin:
            name, _, value = line.strip().partition(" ")
            setattr(bus.faults, name, {int(word) for word in value.split()} if name == "silent" else float(value))
            print("done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
