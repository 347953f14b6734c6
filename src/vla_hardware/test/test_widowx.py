# SPDX-License-Identifier: Apache-2.0
"""The bus driver against emulated servos (protocol 2.0 on a pseudo-terminal): set-up, motion, faults, refusals."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import pytest
from vla_core.robot import load_robot_config
from vla_core.trajectory.spline import TrajectoryPoint
from vla_hardware.franka.errors import ArmError, ArmFault
from vla_hardware.stream import PositionStream, StartError
from vla_hardware.widowx import table
from vla_hardware.widowx.arm import MOST_SILENT_S, WidowXArm, WidowXOptions
from vla_hardware.widowx.bus import ServoBus, SilentError
from vla_hardware.widowx.emulator import EmulatedBus
from vla_hardware.widowx.loop import WidowXLoop
from vla_hardware.widowx.protocol import checksum, cut, pack
from vla_hardware.widowx.servos import WX250S, angle_to_finger, finger_to_angle, to_radians, to_ticks

ROBOT = load_robot_config("wx250s")
START = dict(zip(ROBOT.joints, ROBOT.home, strict=True))
REPLY_S, TICK_S, LONG_S = 0.25, 0.05, 40.0  # [s]; answers of a busy test machine are late

needs_sdk = pytest.mark.skipif(
    find_spec("dynamixel_sdk") is None, reason="dynamixel-sdk is not installed: requirements/widowx.txt"
)


@pytest.fixture
def bus() -> Iterator[EmulatedBus]:
    with EmulatedBus(lambda servo: START.get(servo.joint, 0.5)) as emulated:
        yield emulated


class Rig:
    """An arm that is ticked by the test: time passes with the ticks alone, for the driver."""

    def __init__(self, bus: EmulatedBus, **options: object) -> None:
        self.bus = bus
        self.arm = WidowXArm(ROBOT, WidowXOptions(port=bus.port, reply=REPLY_S, watchdog=2.5, **options))
        self.stream, self.published = PositionStream(ROBOT.limits), []
        self.loop = WidowXLoop(self.arm, self.stream, self.published.append)
        self.now = 100.0

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.loop.tick(self.now)
            self.now += TICK_S
            time.sleep(TICK_S)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONG_S
        while not condition():
            assert time.monotonic() < deadline
            self.tick()

    def follow(self, change: np.ndarray, seconds: float = 1.0) -> np.ndarray:
        here, rest = self.loop.reading.position, np.zeros(6)
        points = (TrajectoryPoint(0.0, here, rest), TrajectoryPoint(seconds, here + change, rest))
        self.stream.follow(self.now, points, here)
        return here + change

    @property
    def goals(self) -> list[int]:
        return [servo.get(table.GOAL_POSITION) for servo in self.bus.servos.values()]


@pytest.fixture
def rig(bus: EmulatedBus) -> Rig:
    rig = Rig(bus)
    rig.arm.hold()
    rig.tick()
    return rig


def test_ticks_and_fingers_convert_both_ways() -> None:
    assert to_radians(to_ticks(1.0)) == pytest.approx(1.0, abs=table.RAD_PER_TICK)
    for travel in np.linspace(0.015, 0.037, 12):
        assert angle_to_finger(finger_to_angle(float(travel))) == pytest.approx(travel, abs=1e-9)
    assert finger_to_angle(0.037) > finger_to_angle(0.015)  # a larger angle opens
    for servo in WX250S[:7]:
        assert to_radians(servo.lower) < START[servo.joint] < to_radians(servo.upper)


def test_packets_are_those_of_the_makers_examples() -> None:
    """Ping and its answer, and a read, from the e-manual of protocol 2.0."""
    assert pack(1, 0x01, b"").hex(" ") == "ff ff fd 00 01 03 00 01 19 4e"
    assert pack(1, 0x02, bytes((132, 0, 4, 0))).hex(" ") == "ff ff fd 00 01 07 00 02 84 00 04 00 1d 15"
    stuffed = pack(1, 0x03, b"\x74\x00\xff\xff\xfd\x00")
    assert b"\xff\xff\xfd\xfd" in stuffed[8:]
    assert cut(b"noise" + stuffed + pack(2, 1, b"")[:-1]) == (pack(2, 1, b"")[:-1], [stuffed])
    assert checksum(stuffed[:-2]) == int.from_bytes(stuffed[-2:], "little")


@needs_sdk
def test_it_writes_limits_and_modes_and_moves_nothing(bus: EmulatedBus) -> None:
    bus.servos[4].put(table.MAX_POSITION, 4095)
    before = [servo.place(0.0) for servo in bus.servos.values()]
    rig = Rig(bus)
    assert bus.servos[4].get(table.MAX_POSITION) == 3094
    assert rig.arm.written == 1 + len(WX250S)  # and each gets profiles by time
    assert [servo.get(table.TORQUE_ENABLE) for servo in bus.servos.values()] == [0] * 9
    rig.arm.hold()
    rig.tick(5)
    assert [servo.get(table.TORQUE_ENABLE) for servo in bus.servos.values()] == [1] * 9
    assert [servo.get(table.BUS_WATCHDOG) for servo in bus.servos.values()] == [125] * 9
    assert [servo.place(time.monotonic()) for servo in bus.servos.values()] == pytest.approx(before, abs=1.0)
    rig.arm.bus.close()
    again = Rig(bus)  # the next driver finds an arm that holds itself
    assert again.arm.written == 0


@needs_sdk
def test_it_follows_a_trajectory_with_shadows_and_fingers(rig: Rig) -> None:
    end = rig.follow(np.array([0.3, 0.2, -0.2, 0.1, -0.2, 0.3]))
    rig.loop.grip(0.02)
    rig.until(lambda: bool(np.abs(rig.loop.reading.position - end).max() < 0.01))
    rig.until(lambda: abs(rig.loop.reading.fingers - 0.02) < 0.001)
    rig.tick(12)  # to rest
    servos = rig.bus.servos
    now = time.monotonic()
    assert servos[3].place(now) == pytest.approx(servos[2].place(now), abs=1.0)
    assert servos[5].place(now) == pytest.approx(servos[4].place(now), abs=1.0)
    assert rig.loop.fault is None
    assert np.abs(rig.loop.reading.velocity).max() < 0.1


@needs_sdk
def test_a_leap_is_refused_and_no_goal_is_faster_than_the_limits(rig: Rig) -> None:
    here, rest = rig.loop.reading.position, np.zeros(6)
    with pytest.raises(StartError, match=r"valid: up to 0\.1 rad"):
        rig.stream.follow(rig.now, (TrajectoryPoint(0.0, here + 0.5, rest),), here)
    rig.stream.follow(rig.now, (TrajectoryPoint(0.1, here + 0.15, rest),), here)
    goals = []
    for _ in range(6):
        rig.tick()
        goals.append(rig.goals)
    most = np.abs(np.diff(np.array(goals), axis=0)).max() * table.RAD_PER_TICK / TICK_S
    assert most <= ROBOT.limits.velocity.max() + 0.05


@needs_sdk
def test_lost_damaged_and_late_answers_do_not_stop_it(rig: Rig) -> None:
    rig.bus.faults.lost = rig.bus.faults.damaged = 0.02
    end = rig.follow(np.full(6, 0.2), seconds=2.0)
    rig.until(lambda: bool(np.abs(rig.loop.reading.position - end).max() < 0.02))
    assert rig.loop.fault is None
    assert rig.loop.incomplete > 0
    assert rig.arm.bus.counts["lost"] + rig.arm.bus.counts["damaged"] > 0


@needs_sdk
def test_a_late_answer_is_not_taken_for_another(bus: EmulatedBus) -> None:
    servos = ServoBus(bus.port, reply=0.1)
    assert servos.read(7, table.MODEL_NUMBER) == 1020
    bus.faults.late, bus.faults.delay = 1.0, 0.5
    with pytest.raises(SilentError, match="servo 7 does not answer"):
        servos.read(7, table.PRESENT_TEMPERATURE)
    bus.faults.late = 0.0
    time.sleep(1.5)
    assert servos.read(7, table.MAX_POSITION) == 3447


@needs_sdk
@pytest.mark.parametrize(
    ("bit", "name"), [(0, "input_voltage"), (2, "overheating"), (3, "motor_encoder"), (5, "overload")]
)
def test_a_hardware_error_in_motion_is_named_and_held_until_it_is_recovered(rig: Rig, bit: int, name: str) -> None:
    rig.follow(np.full(6, 0.4), seconds=2.0)
    rig.tick(10)
    rig.bus.servos[4].fail(bit)
    rig.tick(3)
    assert rig.loop.fault is not None
    assert rig.loop.fault.name == name
    assert "servo 4 (elbow)" in str(rig.loop.fault)
    held = rig.goals
    rig.tick(4)
    assert rig.goals == held
    assert rig.loop.recover() == name
    rig.tick(3)
    assert rig.loop.fault is None
    assert rig.bus.servos[4].get(table.TORQUE_ENABLE) == 1
    assert rig.bus.servos[4].get(table.BUS_WATCHDOG) == 125


@needs_sdk
def test_a_servo_that_falls_silent_in_motion_holds_the_arm(rig: Rig) -> None:
    rig.follow(np.full(6, 0.4), seconds=3.0)
    rig.tick(5)
    rig.bus.faults.silent = {6}
    rig.tick(round(MOST_SILENT_S / TICK_S) + 3)
    assert rig.loop.fault is not None
    assert rig.loop.fault.name == "servo_silent"
    assert "servo 6 (forearm_roll)" in str(rig.loop.fault)
    with pytest.raises(ArmFault, match="servo 6"):
        rig.loop.recover()
    rig.bus.faults.silent = set()
    assert rig.loop.recover() == "servo_silent"


@needs_sdk
def test_servos_stop_by_themselves_when_the_driver_is_gone(bus: EmulatedBus) -> None:
    arm = WidowXArm(ROBOT, WidowXOptions(port=bus.port, reply=REPLY_S, watchdog=0.2))
    arm.hold()
    arm.bus.write(1, table.PROFILE_VELOCITY, 4000)  # a goal that is reached in 4 s
    arm.bus.write(1, table.GOAL_POSITION, 3000)
    time.sleep(1.0)
    assert arm.bus.read(1, table.BUS_WATCHDOG) == table.WATCHDOG_EXPIRED
    place = arm.bus.read(1, table.PRESENT_POSITION)
    assert 2048 < place < 2500
    with pytest.raises(ArmFault, match="stopped by itself"):
        read_each(arm)
    arm.recover()
    assert arm.bus.read(1, table.BUS_WATCHDOG) == 10
    assert arm.bus.read(1, table.PRESENT_POSITION) == place


@needs_sdk
def test_an_arm_that_is_blocked_stops_pressing(rig: Rig) -> None:
    rig.follow(np.full(6, 0.8), seconds=2.0)
    rig.tick(4)
    servo = rig.bus.servos[1]
    servo.move_by_hand(servo.place(time.monotonic()))
    servo.blocked = True
    rig.until(lambda: rig.loop.deviations > 0)
    rig.tick()
    assert abs(servo.get(table.GOAL_POSITION) - servo.get(table.PRESENT_POSITION)) < 3
    assert rig.loop.fault is None


@needs_sdk
def test_torque_is_taken_away_on_demand_and_after_lowering_alone(rig: Rig) -> None:
    sleep = np.array([0.0, -1.80, 1.55, 0.0, 0.8, 0.0])
    with pytest.raises(ArmError, match="call ~/sleep first"):
        rig.loop.release()
    assert rig.bus.servos[2].get(table.TORQUE_ENABLE) == 1
    duration = rig.loop.lower(sleep)
    assert duration > 3.0
    rig.now = time.monotonic()
    rig.until(lambda: bool(np.abs(rig.loop.reading.position - sleep).max() < 0.03))
    rig.loop.release()
    assert [servo.get(table.TORQUE_ENABLE) for servo in rig.bus.servos.values()] == [0] * 9
    rig.loop.wake()
    assert [servo.get(table.TORQUE_ENABLE) for servo in rig.bus.servos.values()] == [1] * 9


def read_each(arm: WidowXArm) -> None:
    """As often as it takes to look after each servo."""
    for _ in range(2 * len(arm.servos)):
        arm.read(0.0)


def swap(bus: EmulatedBus, one: int, other: int) -> None:
    a, b = bus.servos[one], bus.servos[other]
    for register in (table.MIN_POSITION, table.MAX_POSITION, table.DRIVE_MODE, table.MODEL_NUMBER):
        first, second = a.get(register), b.get(register)
        a.put(register, second)
        b.put(register, first)


def hot(bus: EmulatedBus) -> None:
    bus.servos[2].put(table.PRESENT_TEMPERATURE, 85)


def held_and_wrong(bus: EmulatedBus) -> None:
    bus.servos[5].put(table.TORQUE_ENABLE, 1)


BAD: list[tuple[Callable[[EmulatedBus], None], str]] = [
    (lambda bus: bus.faults.silent.update({7}), r"servo 7 \(wrist_angle\) missing"),
    (lambda bus: bus.faults.silent.update(range(1, 10)), "no servo answers .* power supply"),
    (lambda bus: bus.servos[8].put(table.MODEL_NUMBER, 1020), "servo 8 .* is an XM430-W350, expected: XL430-W250"),
    (lambda bus: swap(bus, 7, 8), "ids swapped"),
    (lambda bus: swap(bus, 2, 4), "set up as servo 4"),
    (lambda bus: bus.servos[5].fail(5), r"servo 5 \(elbow shadow\) .* overload"),
    (hot, "overheated: 85 degrees C"),
    (lambda bus: bus.servos[3].move_by_hand(2200), "Homing Offset"),
    (lambda bus: bus.servos[7].move_by_hand(100), "move it inside by hand"),
    (held_and_wrong, "without torque alone"),
]


@needs_sdk
@pytest.mark.parametrize(("spoil", "said"), BAD)
def test_what_cannot_be_driven_is_refused_and_nothing_moves(
    bus: EmulatedBus, spoil: Callable[[EmulatedBus], None], said: str
) -> None:
    spoil(bus)
    torque = [servo.get(table.TORQUE_ENABLE) for servo in bus.servos.values()]
    before = [servo.place(0.0) for servo in bus.servos.values()]
    with pytest.raises(ArmError, match=said):
        WidowXArm(ROBOT, WidowXOptions(port=bus.port, reply=0.1))
    assert [servo.place(time.monotonic()) for servo in bus.servos.values()] == before
    assert [servo.get(table.TORQUE_ENABLE) for servo in bus.servos.values()] == torque


@needs_sdk
def test_ports_that_are_missing_or_in_use_are_said(bus: EmulatedBus) -> None:
    with pytest.raises(ArmError, match="no such port"):
        WidowXArm(ROBOT, WidowXOptions(port="/dev/ttyNone"))
    with pytest.raises(ArmError, match="valid: 57600"):
        WidowXArm(ROBOT, WidowXOptions(port=bus.port, baud=12345))
    first = WidowXArm(ROBOT, WidowXOptions(port=bus.port, reply=REPLY_S))
    with pytest.raises(ArmError, match="another program uses it"):
        WidowXArm(ROBOT, WidowXOptions(port=os.path.realpath(bus.port)))
    first.close()
    with pytest.raises(Exception, match="this driver knows: wx250s"):
        WidowXArm(load_robot_config("fr3"), WidowXOptions(port=bus.port))
