# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a Franka: errors at the start, faults in motion, and their names. No ROS, no franky."""

from __future__ import annotations

import re
import socket
import time

FCI_PORT = 1337
CONNECT_TIMEOUT_S = 3.0
RETRY_S = 0.5  # [s] between two attempts
READY = ("Idle", "Move")
DESK = "open Desk (https://{address})"
MODES = {  # what a robot mode means, and what to do
    "Other": "the joints are locked, or the robot is in programming mode: " + DESK + ", unlock the joints and choose "
    "execution mode",
    "Guiding": "somebody guides the arm by hand: let go of the guiding button",
    "Reflex": "the arm stopped by a reflex",
    "UserStopped": "the stop button is pressed: release it when the arm may move",
    "AutomaticErrorRecovery": "the arm recovers from an error: wait until it is done",
}
_NAME = re.compile(r'"([a-z_]+)"')


class ArmError(RuntimeError):
    """The arm cannot be driven as it is; the text says what was found and what to do."""


class ArmFault(RuntimeError):
    """The arm stopped by itself, or cannot be reached; it is held until it is recovered. `name` is stable."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def reach(address: str, port: int = FCI_PORT, timeout: float = CONNECT_TIMEOUT_S) -> None:
    """Raise ArmError unless a control unit listens at `address`."""
    if not address:
        raise ArmError("there is no address of the arm; set robot_ip to that of its control unit, such as 172.16.0.2")
    try:
        socket.create_connection((address, port), timeout).close()
    except ConnectionRefusedError:
        raise ArmError(
            f"{address} answers, but not on port {port}: FCI is not active; {DESK.format(address=address)}, unlock the "
            "joints and choose 'Activate FCI'"
        ) from None
    except socket.gaierror:
        raise ArmError(f"robot_ip {address!r} is no address; valid: an address such as 172.16.0.2, or a name") from None
    except OSError as error:
        raise ArmError(
            f"no answer from {address} on port {port} within {timeout:g} s ({error}); check robot_ip, that the control "
            "unit is on, and the cable (into the control unit, not the arm's base)"
        ) from None


def wait_for(address: str, wait: float) -> None:
    """Raise ArmError unless a control unit listens at `address` within `wait` [s]."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return reach(address)
        except ArmError:
            if not address or time.monotonic() >= deadline:
                raise
        time.sleep(RETRY_S)


def mode_fault(mode: str, errors: tuple[str, ...], address: str) -> ArmFault | None:
    """Return what a robot mode and the errors in force mean, or None where the arm may be driven."""
    if mode in READY and not errors:
        return None
    name = errors[0] if errors else mode
    what = MODES.get(mode, f"the robot's mode is {mode}").format(address=address)
    return ArmFault(name, f"{what} ({', '.join(errors)})" if errors else what)


def exception_fault(error: Exception, errors: tuple[str, ...]) -> ArmFault:
    """Return the fault that an exception of franky tells; `errors` are those that the arm's state names."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    names = tuple(_NAME.findall(str(error))) or errors
    return ArmFault(names[0] if names else type(error).__name__, text.removeprefix("libfranka: "))
