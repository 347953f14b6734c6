# SPDX-License-Identifier: Apache-2.0
"""A Franka through franky: connect, check, read, move by short velocity motions, recover. No ROS."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vla_core.robot import RobotConfig

from vla_hardware.franka.errors import ArmError, ArmFault, exception_fault, mode_fault, wait_for
from vla_hardware.franka.limits import FORCES, TORQUES, settable

Array = NDArray[np.float64]
REALTIME_KERNEL = Path("/sys/kernel/realtime")
UNFILTERED = 1000.0  # [Hz] turns libfranka's low-pass off, which restarts from a stale state when a packet is late
RECOVERY_S = 1.0  # [s] until the arm's state shows a recovery
JERK_SHARE = 0.3  # of the arm's own limit that the driver uses
MISSING = "franky-control is not installed; install it with: ./vla run pip install -r requirements/hardware.txt"


@dataclass(frozen=True, slots=True)
class ArmOptions:
    """How an arm is set up when it is connected."""

    address: str
    read_only: bool = False
    wait: float = 0.0  # [s] for a control unit that does not answer yet
    realtime: str = "auto"  # auto, enforce, ignore
    torques: tuple[float, ...] = TORQUES  # (7,) [Nm] collision thresholds
    forces: tuple[float, ...] = FORCES  # (6,) [N], [Nm]
    payload_mass: float = 0.0  # [kg] beyond the hand
    payload_center: tuple[float, ...] = (0.0, 0.0, 0.0)  # (3,) [m] from the flange
    payload_inertia: tuple[float, ...] = (0.0,) * 9  # (9,) [kg m^2], column by column


@dataclass(frozen=True, slots=True)
class ArmReading:
    """A state of the arm. `time` is the arm's own clock [s]."""

    position: Array  # (7,) [rad]
    velocity: Array  # (7,) [rad/s]
    effort: Array  # (7,) [Nm]
    time: float
    mode: str
    errors: tuple[str, ...]
    success_rate: float  # share of the control commands that arrived in time; 0 outside of motion


def load_franky() -> Any:
    """Return the module franky; raises ArmError where it is missing."""
    try:
        import franky
    except ImportError as error:
        raise ArmError(f"{MISSING} ({error})") from error
    return franky


def is_realtime_kernel(path: Path = REALTIME_KERNEL) -> bool:
    """Whether this machine's kernel has PREEMPT_RT."""
    return path.is_file() and path.read_text().strip() == "1"


class FrankaArm:
    """A connected FR3. Every method may be called from any thread."""

    def __init__(self, robot: RobotConfig, options: ArmOptions) -> None:
        """Connect, check and set up the arm without moving it.

        Raises:
            ArmError: it cannot be reached, is of another kind, or is in no state to be driven.
        """
        self._robot, self.options = robot, options
        self._franky = load_franky()
        self._lock = threading.Lock()
        self._connect()

    def _connect(self) -> None:
        """Raises ArmError."""
        address, franky = self.options.address, self._franky
        wait_for(address, self.options.wait)
        enforce = self.options.realtime == "enforce" or (self.options.realtime == "auto" and is_realtime_kernel())
        config = franky.RealtimeConfig.Enforce if enforce else franky.RealtimeConfig.Ignore
        try:
            self._arm = franky.Robot(address, realtime_config=config)
        except franky.IncompatibleVersionException as error:
            raise ArmError(
                f"{address}: {error}; update the robot's system, or install franky-control for its version"
            ) from error
        except franky.Exception as error:
            raise ArmError(f"cannot connect to {address}: {error}") from error
        self._check()
        if not self.options.read_only:
            self._set_up()

    def _check(self) -> None:
        """Refuse another kind of arm and, unless read-only, one in no state to be driven."""
        urdf = str(self._arm.model_urdf)
        if '"fr3' not in urdf and "'fr3" not in urdf:
            name = urdf.partition('<robot name="')[2].partition('"')[0] or "unknown"
            raise ArmError(f"the arm at {self.options.address} describes itself as {name!r}; valid: fr3")
        fault = self.fault_of(self.read())
        if fault is not None and not self.options.read_only:
            advice = "; then start again" if fault.name in ("Other", "Guiding", "UserStopped") else ""
            raise ArmError(f"the arm at {self.options.address} cannot be driven: {fault}{advice}")

    def _set_up(self) -> None:
        limits, options = self._robot.limits, self.options
        try:
            for limit, wanted in (
                (self._arm.joint_velocity_limit, limits.velocity),
                (self._arm.joint_acceleration_limit, limits.acceleration),
                (self._arm.joint_jerk_limit, self._jerk()),
            ):
                limit.set(settable(wanted, limit.max))
            self._arm.set_collision_behavior(list(options.torques), list(options.forces))
            self._arm.set_load(options.payload_mass, list(options.payload_center), list(options.payload_inertia))
        except (self._franky.Exception, RuntimeError) as error:
            raise ArmError(f"the arm at {options.address} does not take its settings: {error}") from error

    def _jerk(self) -> Array:
        arm = self._robot.arm_limits
        return self._robot.limits.jerk if arm is None else JERK_SHARE * np.minimum(arm.jerk, 1e4)

    def read(self) -> ArmReading:
        """Return the latest state; raises ArmFault where the connection is lost."""
        with self._lock:
            if self._arm is None:
                raise ArmFault("NetworkException", f"there is no connection to {self.options.address}")
            try:
                state = self._arm.state
            except self._franky.Exception as error:
                raise exception_fault(error, ()) from error
        return ArmReading(
            position=np.array(state.q),
            velocity=np.array(state.dq),
            effort=np.array(state.tau_J),
            time=float(state.time.to_sec()),
            mode=str(state.robot_mode).rpartition(".")[2],
            errors=error_names(state.current_errors),
            success_rate=float(state.control_command_success_rate),
        )

    def fault_of(self, reading: ArmReading) -> ArmFault | None:
        """Return what keeps the arm from being driven, or None."""
        return mode_fault(reading.mode, reading.errors, self.options.address)

    def move(self, velocity: Array, duration: float) -> None:
        """Have the joints at `velocity` (7,) [rad/s] within the limits, and stop by itself after `duration` [s].

        Raises ArmFault where the motion before ended in an error.
        """
        franky = self._franky
        motion = franky.JointVelocityMotion(velocity, franky.Duration(round(duration * 1000)))
        with self._lock:
            try:
                self._arm.move(motion, asynchronous=True, cutoff_frequency=UNFILTERED)
            except (franky.Exception, RuntimeError) as error:
                raise self._fault(error) from error

    def poll(self) -> None:
        """Raise ArmFault where a motion ended in an error."""
        with self._lock:
            try:
                self._arm.poll_motion()
            except (self._franky.Exception, RuntimeError) as error:
                raise self._fault(error) from error

    def _fault(self, error: Exception) -> ArmFault:
        try:
            state = self._arm.state
            errors = error_names(state.current_errors) or error_names(state.last_motion_errors)
        except self._franky.Exception:
            errors = ()
        return exception_fault(error, errors)

    def recover(self) -> None:
        """Clear the arm's errors, connecting again where the connection is lost; raises ArmError or ArmFault."""
        with self._lock:
            try:
                connected = self._arm is not None  # None after a recovery that found no network
                if connected:
                    self._arm.recover_from_errors()  # what it returns may be of a state from before
            except self._franky.NetworkException:
                connected = False
            except self._franky.Exception as error:
                raise self._fault(error) from error
        if not connected:
            self._arm = None
            self._connect()
        self._forget_motion()
        deadline = time.monotonic() + RECOVERY_S
        while (fault := self.fault_of(self.read())) is not None:
            if time.monotonic() > deadline:
                raise fault
            time.sleep(0.02)

    def _forget_motion(self) -> None:
        """Take the exception of the motion that was aborted, which franky tells at its next call."""
        with self._lock, suppress(self._franky.Exception, RuntimeError):
            self._arm.poll_motion()


def error_names(errors: Any) -> tuple[str, ...]:
    """Return the names of the flags that are set in franky's Errors."""
    names: Sequence[str] = [name for name in dir(errors) if not name.startswith("_")]
    return tuple(name for name in names if getattr(errors, name) is True)
