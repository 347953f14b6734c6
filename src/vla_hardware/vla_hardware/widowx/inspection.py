# SPDX-License-Identifier: Apache-2.0
"""Checks before a WidowX may move: are these its servos, each in its place, healthy and set up? Nothing moves here."""

from __future__ import annotations

from vla_hardware.franka.errors import ArmError
from vla_hardware.widowx import table
from vla_hardware.widowx.bus import RefusedError, ServoBus, SilentError
from vla_hardware.widowx.servos import TOP_SPEED, Servo, to_radians
from vla_hardware.widowx.table import MODELS, Register, hardware_errors

SHADOW_TOLERANCE = 46  # [ticks] (0.07 rad) between the two servos of a joint
OUTSIDE = 120  # [ticks] (0.18 rad) beyond its stops at which a joint may be found
FREE = (0, table.TICKS - 1)  # position limits of a servo that was never set up


def find_servos(bus: ServoBus, servos: tuple[Servo, ...], port: str) -> None:
    """Raise ArmError unless every servo answers and is of its model."""
    missing, wrong = [], []
    for servo in servos:
        try:
            model = bus.ping(servo.id)
        except SilentError:
            missing.append(servo.label)
            continue
        if model != servo.model:
            name, expected = MODELS.get(model, f"model {model}"), MODELS[servo.model]
            wrong.append(f"{servo.label} is an {name}, expected: {expected}")
    if len(missing) == len(servos):
        raise ArmError(f"no servo answers on {port}; check the arm's power supply, the cable, and baudrate")
    if missing:
        raise ArmError(f"{', '.join(missing)} missing on {port}; check the cable to it, and its id and baud rate")
    if wrong:
        raise ArmError(f"{'; '.join(wrong)}; are ids swapped, or is robot_config another arm's?")


def check_health(bus: ServoBus, servos: tuple[Servo, ...]) -> None:
    """Raise ArmError where a servo has a hardware error or is too hot to begin."""
    for servo in servos:
        if status := bus.read(servo.id, table.HARDWARE_ERROR):
            texts = "; ".join(f"{name}: {text}" for name, text in hardware_errors(status))
            raise ArmError(
                f"{servo.label} has a hardware error: {texts or status}; mend the cause, switch it off and on"
            )
        heat, limit = (bus.read(servo.id, r) for r in (table.PRESENT_TEMPERATURE, table.TEMPERATURE_LIMIT))
        if heat >= limit:
            raise ArmError(f"{servo.label} is overheated: {heat} degrees C, valid: below {limit}; let it cool down")


def check_order(bus: ServoBus, servos: tuple[Servo, ...]) -> None:
    """Raise ArmError where a servo holds what another joint of the arm is set up with: their ids are swapped."""
    for servo in servos:
        found = _identity(bus, servo)
        others = [other for other in servos if _expected(other) == found and other.joint != servo.joint]
        if found[:2] not in (FREE, _expected(servo)[:2]) and others:
            raise ArmError(
                f"{servo.label} is set up as {others[0].label}: the joints' ids are swapped, or the cables; "
                "give the servos their ids again (DYNAMIXEL Wizard)"
            )


def _identity(bus: ServoBus, servo: Servo) -> tuple[int, int, int]:
    low, high, mode = (bus.read(servo.id, r) for r in (table.MIN_POSITION, table.MAX_POSITION, table.DRIVE_MODE))
    return low, high, mode & table.REVERSE


def _expected(servo: Servo) -> tuple[int, int, int]:
    return servo.lower, servo.upper, servo.drive_mode & table.REVERSE


def check_posture(bus: ServoBus, servos: tuple[Servo, ...]) -> None:
    """Raise ArmError where a joint is beyond its stops, or the two servos of a joint disagree."""
    ticks = {servo.id: bus.read(servo.id, table.PRESENT_POSITION) for servo in servos}
    for servo in servos:
        here = ticks[servo.id]
        if not servo.lower - OUTSIDE <= here <= servo.upper + OUTSIDE:
            bounds = f"{to_radians(servo.lower):.2f} to {to_radians(servo.upper):.2f} rad"
            raise ArmError(
                f"{servo.label} is at {to_radians(here):.2f} rad, valid: {bounds}; move it inside by hand, or its horn "
                "is mounted another way round, or joints are swapped"
            )
        if servo.leader and abs(here - ticks[servo.leader]) > SHADOW_TOLERANCE:
            gap = f"{here - ticks[servo.leader]} ticks away from servo {servo.leader} of the same joint"
            raise ArmError(
                f"{servo.label} is {gap}; valid: up to {SHADOW_TOLERANCE}; change its Homing Offset by that, "
                "or they work against each other"
            )


def settings_of(servo: Servo) -> dict[Register, int]:
    """Return what a servo keeps without power."""
    return {
        table.OPERATING_MODE: table.POSITION_CONTROL,
        table.DRIVE_MODE: servo.drive_mode,
        table.SECONDARY_ID: servo.secondary_id,
        table.VELOCITY_LIMIT: TOP_SPEED,
        table.MAX_POSITION: servo.upper,
        table.MIN_POSITION: servo.lower,
        table.SHUTDOWN: table.PROTECTION,
    }


def write_settings(bus: ServoBus, servos: tuple[Servo, ...]) -> int:
    """Write limits and modes that a servo does not have yet; return how many were written.

    Raises:
        ArmError: something has to be written to a servo that holds the arm by its torque.
    """
    written = 0
    for servo in servos:
        wanted = settings_of(servo)
        different = {reg: value for reg, value in wanted.items() if bus.read(servo.id, reg) != value}
        if different and bus.read(servo.id, table.TORQUE_ENABLE):
            names = ", ".join(register.name for register in different)
            raise ArmError(
                f"{servo.label} needs another {names}, which it takes without torque alone: lower the arm (the driver "
                "before: ~/sleep, then ~/torque_off), or hold it by hand and switch it off and on"
            )
        for register, value in different.items():
            try:
                bus.write(servo.id, register, value)
            except RefusedError as error:
                raise ArmError(f"{servo.label} cannot be set up: {error}") from error
            written += 1
    return written
