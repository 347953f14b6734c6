# SPDX-License-Identifier: Apache-2.0
"""The driver's thread: reads the arm at a steady rate, and keeps it on its trajectory. No ROS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vla_hardware.franka.arm import ArmReading
from vla_hardware.franka.errors import ArmFault
from vla_hardware.stream import DeviationError, VelocityStream

Array = NDArray[np.float64]
MOTION_S = 0.3  # [s] a motion lasts by itself: the arm comes to rest when no other replaces it
STALE_S = 0.3  # [s] without progress of the arm's clock after which its state counts as stale
RATE_OVER_S = 1.0  # [s] over which the rate of the arm's clock is measured
RETRY_S = 0.5  # [s] between two looks at an arm that cannot be read


class Arm(Protocol):
    """What the loop needs of an arm."""

    def read(self) -> ArmReading:
        """Return the latest state; raises ArmFault."""

    def fault_of(self, reading: ArmReading) -> ArmFault | None:
        """Return what keeps the arm from being driven."""

    def move(self, velocity: Array, duration: float) -> None:
        """Have this velocity [rad/s] and stop by itself after `duration` [s]; raises ArmFault."""

    def poll(self) -> None:
        """Raise ArmFault where a motion ended in an error."""

    def recover(self) -> None:
        """Clear the arm's errors; raises ArmError or ArmFault."""


@dataclass(slots=True)
class ClockWatch:
    """The rate of the arm's clock against ours, and how long it has stood still."""

    rate: float = 1.0
    _since: tuple[float, float] | None = None  # ours, the arm's
    _last: tuple[float, float] = field(default=(0.0, -1.0))

    def update(self, now: float, arm: float) -> float:
        """Return for how long [s] the arm's clock has shown `arm` [s]."""
        if arm != self._last[1]:
            self._last = (now, arm)
        if self._since is None or arm < self._since[1] or now - self._since[0] > 4 * RATE_OVER_S:
            self._since = (now, arm)
        elif now - self._since[0] >= RATE_OVER_S:
            self.rate = min(1.0, max(0.2, (arm - self._since[1]) / (now - self._since[0])))
            self._since = (now, arm)
        return now - self._last[0]


class ArmLoop:
    """Calls `tick` every `period` seconds in a thread of its own, on an absolute schedule.

    A fault (a reflex, a lost connection) holds the arm until `recover`. An arm that left its trajectory comes to rest,
    and follows the next that begins where it is.
    """

    def __init__(
        self,
        arm: Arm,
        stream: VelocityStream,
        period: float,
        publish: Callable[[ArmReading], None],
        follow_clock: bool = False,
        read_only: bool = False,
    ) -> None:
        """Prepare the thread.

        Args:
            arm: what is driven.
            stream: what it is to do.
            period: time between two ticks [s].
            publish: called with each reading, in the thread.
            follow_clock: command faster where the arm's clock is slower than ours, as a simulated one's may be.
            read_only: the arm is never commanded.
        """
        self._arm, self._stream, self._period, self._publish = arm, stream, period, publish
        self._follow_clock, self._read_only = follow_clock, read_only
        self._clock = ClockWatch()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._busy = threading.Lock()  # held by a tick and by a recovery
        self.reading: ArmReading | None = None
        self.fault: ArmFault | None = None
        self.ticks = self.late = self.motions = self.deviations = 0
        self.deviation = ""  # the latest: what the arm was away from
        self.failure: Callable[[str], None] = lambda text: None

    @property
    def clock_rate(self) -> float:
        """Seconds of the arm's clock in one of ours."""
        return self._clock.rate

    def start(self) -> None:
        """Begin."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="arm", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a motion that runs ends by itself."""
        self._stopping.set()
        self._stream.hold()
        if self._thread is not None:
            self._thread.join(timeout=1.5)

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._stopping.is_set():
                if not self.tick(time.monotonic()):
                    self._stopping.wait(RETRY_S)
                due += self._period
                now = time.monotonic()
                if now > due + self._period:
                    self.late += 1
                    due = now
                self._stopping.wait(max(0.0, due - now))
        except Exception as error:  # what nobody foresaw must not leave a driver that looks alive
            self.failure(f"the driver's thread ended: {type(error).__name__}: {error}")

    def tick(self, now: float) -> bool:
        """Read the arm, publish, and command it; return whether it could be read."""
        with self._busy:
            self.ticks += 1
            try:
                reading = self._arm.read()
            except ArmFault as fault:
                self._hold(fault)
                return False
            self.reading = reading
            still = self._clock.update(now, reading.time)
            if still > STALE_S:
                self._hold(ArmFault("stale_state", f"the arm's state has not changed for {still:.2f} s"))
                return True
            self._command(now, reading)
        self._publish(reading)
        return True

    def _command(self, now: float, reading: ArmReading) -> None:
        fault = self._arm.fault_of(reading)
        if fault is not None:
            self._hold(fault)
        if self.fault is not None or self._read_only:
            return
        rate = self._clock.rate if self._follow_clock else 1.0
        try:
            velocity = self._stream.command(now, reading.position, reading.velocity, rate)
            if velocity is not None:
                self._arm.move(velocity, MOTION_S)
                self.motions += 1
            else:
                self._arm.poll()
        except DeviationError as error:
            self.deviations += 1
            self.deviation = str(error)
        except ArmFault as motion_fault:
            self._hold(motion_fault)

    def _hold(self, fault: ArmFault) -> None:
        self._stream.hold()
        if self.fault is None:
            self.fault = fault

    def recover(self) -> str:
        """Clear the fault and return what it was, or an empty text; raises ArmError or ArmFault where it stays."""
        with self._busy:
            before = self.fault
            self._stream.hold()
            reading_fault = None if self.reading is None else self._arm.fault_of(self.reading)
            if before is None and reading_fault is None:
                return ""
            self._arm.recover()
            self._clock = ClockWatch()
            self.fault = None
            return before.name if before is not None else ""
