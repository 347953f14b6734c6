# SPDX-License-Identifier: Apache-2.0
"""Control table of the DYNAMIXEL X series (protocol 2.0), as the maker's e-manual and SDK state it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Register:
    """One entry of the control table."""

    name: str
    address: int
    size: int  # [bytes]
    signed: bool = False

    def value(self, data: bytes | bytearray) -> int:
        """Return the number that `data` (little endian) stands for."""
        return int.from_bytes(data[: self.size], "little", signed=self.signed)

    def data(self, value: int) -> bytes:
        """Return the bytes of `value`; raises OverflowError where it does not fit."""
        return value.to_bytes(self.size, "little", signed=self.signed)


MODEL_NUMBER = Register("Model Number", 0, 2)
DRIVE_MODE = Register("Drive Mode", 10, 1)
OPERATING_MODE = Register("Operating Mode", 11, 1)
SECONDARY_ID = Register("Secondary(Shadow) ID", 12, 1)
TEMPERATURE_LIMIT = Register("Temperature Limit", 31, 1)
VELOCITY_LIMIT = Register("Velocity Limit", 44, 4)
MAX_POSITION = Register("Max Position Limit", 48, 4)
MIN_POSITION = Register("Min Position Limit", 52, 4)
SHUTDOWN = Register("Shutdown", 63, 1)
TORQUE_ENABLE = Register("Torque Enable", 64, 1)
HARDWARE_ERROR = Register("Hardware Error Status", 70, 1)
BUS_WATCHDOG = Register("Bus Watchdog", 98, 1, signed=True)
GOAL_PWM = Register("Goal PWM", 100, 2, signed=True)
PROFILE_ACCELERATION = Register("Profile Acceleration", 108, 4)
PROFILE_VELOCITY = Register("Profile Velocity", 112, 4)
GOAL_POSITION = Register("Goal Position", 116, 4, signed=True)
PRESENT_CURRENT = Register("Present Current", 126, 2, signed=True)  # Present Load [0.1 %] of an XL430
PRESENT_VELOCITY = Register("Present Velocity", 128, 4, signed=True)
PRESENT_POSITION = Register("Present Position", 132, 4, signed=True)
PRESENT_TEMPERATURE = Register("Present Temperature", 146, 1)

EEPROM_END = 64  # registers below keep their value without power, and are written without torque alone
STATE_ADDRESS, STATE_SIZE = 126, 10  # current, velocity and position side by side
TICKS = 4096  # of a turn
CENTER = 2048  # tick of 0 rad
RAD_PER_TICK = 2.0 * math.pi / TICKS
RAD_S_PER_UNIT = 0.229 * 2.0 * math.pi / 60.0
AMPERE_PER_UNIT = 0.00269
WATCHDOG_UNIT = 0.02  # [s]
REVERSE, TIME_PROFILE = 0x01, 0x04  # bits of Drive Mode
POSITION_CONTROL = 3
NO_SECONDARY = 255
PROTECTION = 0x34  # bits of Shutdown: overload, electrical shock, overheating
WATCHDOG_EXPIRED = -1
MODELS = {1020: "XM430-W350", 1030: "XM430-W210", 1060: "XL430-W250", 1120: "XM540-W270", 1130: "XM540-W150"}
HARDWARE_ERRORS = {  # bit of Hardware Error Status: stable name, what it means
    0: ("input_voltage", "the supply voltage is outside its range: check the power supply"),
    2: ("overheating", "it is too hot: let it cool down"),
    3: ("motor_encoder", "its position sensor fails: replace the servo"),
    4: ("electrical_shock", "an electrical shock, or too little power to turn: check cables and supply"),
    5: ("overload", "it was loaded beyond its strength for too long: free the arm"),
}


def hardware_errors(status: int) -> tuple[tuple[str, str], ...]:
    """Return name and meaning of each error in Hardware Error Status."""
    return tuple(what for bit, what in HARDWARE_ERRORS.items() if status >> bit & 1)
