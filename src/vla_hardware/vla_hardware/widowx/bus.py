# SPDX-License-Identifier: Apache-2.0
"""The servos' bus through the maker's SDK: bounded waits, retries where they are safe, and an account of losses."""

from __future__ import annotations

import errno
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from vla_hardware.franka.errors import ArmError
from vla_hardware.widowx.table import MODEL_NUMBER, Register

MISSING = "dynamixel-sdk is not installed; install it with: ./vla run pip install -r requirements/widowx.txt"
REPLY_S = 0.004  # [s] within which a servo has begun its answer, beyond the time of the bytes
QUIET_S = 0.02  # [s] after a lost answer, so that a late one is not taken for that to the next request
POLL_S = 0.001  # [s] for which a read waits at a time
ATTEMPTS = 3  # of a request for one servo
OVERHEAD = 11  # [bytes] of a status packet beside its data
ID, ERROR, DATA = 4, 8, 9  # [bytes] where a status packet has them
ALERT = 0x80  # bit of a status packet: the servo has a hardware error
REFUSALS = {
    1: "could not do it",
    2: "does not know the instruction",
    3: "found a wrong checksum",
    4: "is out of range",
    5: "got data of the wrong length",
    6: "is beyond a limit",
    7: "may not be written now",
}


class SilentError(RuntimeError):
    """A servo does not answer, or what it answers is damaged."""


class RefusedError(RuntimeError):
    """A servo refuses an instruction."""


def load_sdk() -> Any:
    """Return the module dynamixel_sdk; raises ArmError where it is missing."""
    try:
        import dynamixel_sdk
    except ImportError as error:
        raise ArmError(f"{MISSING} ({error})") from error
    return dynamixel_sdk


def open_port(name: str, baud: int, reply: float) -> Any:
    """Open a serial port for this process alone; raises ArmError."""
    load_sdk()
    import serial
    from dynamixel_sdk import PortHandler

    class Port(PortHandler):  # type: ignore[misc]
        """The SDK's port with short waits: it polls without a pause, for 34 ms where an answer is lost."""

        def setupPort(self, cflag_baud: int) -> bool:
            self.ser = serial.Serial(name, cflag_baud, timeout=POLL_S, exclusive=True)
            with suppress(OSError, ValueError, NotImplementedError):
                self.ser.set_low_latency_mode(True)  # of USB adapters, which gather bytes for 16 ms otherwise
            self.is_open, self.tx_time_per_byte = True, 1e4 / cflag_baud
            return True

        def setPacketTimeout(self, packet_length: int) -> None:
            self.setPacketTimeoutMillis(self.tx_time_per_byte * packet_length + 1000.0 * reply)

    port = Port(name)
    try:
        if not port.setBaudRate(baud):
            raise ArmError(f"baudrate is {baud}; valid: 57600, 115200, 1000000, 2000000, 3000000, 4000000")
    except serial.SerialException as error:
        raise ArmError(f"cannot open {name}: {_remedy(error)} ({error})") from error
    return port


def _remedy(error: Any) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return "there is no such port; is the arm's USB cable plugged in?"
    if number == errno.EACCES:
        return "no permission; add yourself to the group dialout, then log in again"
    if "lock" in str(error):
        return "another program uses it; end that driver first"
    return "the port cannot be used"


class ServoBus:
    """Requests to servos, one at a time. For one thread."""

    def __init__(self, port: str, baud: int = 1_000_000, reply: float = REPLY_S) -> None:
        """Open the port, and wait up to `reply` [s] for answers; raises ArmError."""
        sdk = load_sdk()
        self._port = open_port(port, baud, reply)
        self._packets = sdk.Protocol2PacketHandler()
        self._success = sdk.COMM_SUCCESS
        self.counts: Counter[str] = Counter()  # asked, lost, damaged: status packets

    def close(self) -> None:
        """Close the port; the servos keep what they were commanded."""
        self._port.closePort()

    def ping(self, servo: int) -> int:
        """Return the model number of a servo; raises SilentError."""
        return self.read(servo, MODEL_NUMBER)

    def read(self, servo: int, register: Register) -> int:
        """Return the value of a register; raises SilentError or RefusedError."""
        for _ in range(ATTEMPTS):
            self.counts["asked"] += 1
            self._packets.readTx(self._port, servo, register.address, register.size)
            packet = self._receive({servo}, (OVERHEAD, OVERHEAD + register.size))
            if packet is not None:
                self._check(servo, register, packet[ERROR])
                return register.value(packet[DATA:])
            self._miss()
        raise SilentError(f"servo {servo} does not answer")

    def write(self, servo: int, register: Register, value: int) -> None:
        """Write a register; raises SilentError or RefusedError. Written again where the answer is lost."""
        data = list(register.data(value))
        for _ in range(ATTEMPTS):
            result, error = self._packets.writeTxRx(self._port, servo, register.address, register.size, data)
            if self._came(result):
                self._check(servo, register, error, value)
                return
        raise SilentError(f"servo {servo} does not answer")

    def reboot(self, servo: int) -> None:
        """Restart a servo, which clears its hardware errors and lets go of its torque; raises SilentError."""
        for _ in range(ATTEMPTS):
            result, _error = self._packets.reboot(self._port, servo)
            if self._came(result):
                return
        raise SilentError(f"servo {servo} does not answer")

    def sync_read(self, servos: Iterable[int], address: int, size: int) -> dict[int, tuple[bytes, bool]]:
        """Return the bytes of each servo that answered in time, and whether it has a hardware error.

        The SDK's own group read gives up at the first loss, and waits for it past the answers of the others.
        """
        wanted = list(servos)
        found: dict[int, tuple[bytes, bool]] = {}
        self.counts["asked"] += len(wanted)
        self._packets.syncReadTx(self._port, address, size, wanted, len(wanted), False)
        while len(found) < len(wanted):
            packet = self._receive(set(wanted) - found.keys(), (OVERHEAD + size,))
            if packet is None:
                break
            found[packet[ID]] = (packet[DATA : DATA + size], bool(packet[ERROR] & ALERT))
        self.counts["lost"] += len(wanted) - len(found)
        return found

    def _receive(self, servos: set[int], lengths: tuple[int, ...]) -> bytes | None:
        """Return the next whole answer of `servos`, passing late ones to other requests; None when time is up."""
        while True:
            self._port.is_using = True
            packet, result = self._packets.rxPacket(self._port, False)
            if result == self._success:
                length = int.from_bytes(packet[5:7], "little") + 7
                if packet[ID] in servos and length in lengths:
                    return bytes(packet[:length])
            elif packet:
                self.counts["damaged"] += 1
            else:
                return None

    def sync_write(self, register: Register, values: Mapping[int, int]) -> None:
        """Write a register of several servos at once; nobody answers."""
        data = [byte for servo, value in values.items() for byte in (servo, *register.data(value))]
        self._packets.syncWriteTxOnly(self._port, register.address, register.size, data, len(data))
        self._port.is_using = False

    def _came(self, result: int) -> bool:
        self.counts["asked"] += 1
        if result == self._success:
            return True
        self._miss()
        return False

    def _miss(self) -> None:
        """Count a lost answer, and let a late one pass."""
        self.counts["lost"] += 1
        time.sleep(QUIET_S)

    def _check(self, servo: int, register: Register, error: int, value: int | None = None) -> None:
        if error & ~ALERT:
            what = REFUSALS.get(error & ~ALERT, f"reports error {error}")
            given = "" if value is None else f" = {value}"
            raise RefusedError(f"servo {servo} refuses {register.name}{given}: it {what}")
