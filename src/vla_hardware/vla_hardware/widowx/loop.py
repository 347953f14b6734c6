# SPDX-License-Identifier: Apache-2.0
"""The thread that reads and commands a WidowX, and what happens there on a fault. No ROS."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from vla_core.trajectory.spline import TrajectoryPoint

from vla_hardware.franka.errors import ArmFault
from vla_hardware.stream import DeviationError, PositionStream
from vla_hardware.widowx.arm import WidowXArm, WidowXReading

Array = NDArray[np.float64]
LOWERING_SPEED = 0.4  # [rad/s]


class WidowXLoop:
    """Ticks an arm. The state may be read, and a recovery asked for, from any thread."""

    def __init__(self, arm: WidowXArm, stream: PositionStream, publish: Callable[[WidowXReading], None]) -> None:
        """Prepare the thread; `publish` is called with each reading, in it."""
        self.arm, self._stream, self._publish = arm, stream, publish
        self._period = arm.options.period
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._busy = threading.Lock()  # held by a tick and by a recovery
        self._fingers: float | None = None  # [m] to command next
        self.reading: WidowXReading | None = None
        self.fault: ArmFault | None = None
        self.lowered = False  # ~/sleep was called: commands are refused until ~/torque_on
        self.ticks = self.late = self.incomplete = self.deviations = 0
        self.durations: deque[float] = deque(maxlen=1000)  # [s] of the latest ticks
        self.deviation = ""
        self.failure: Callable[[str], None] = lambda text: None

    def start(self) -> None:
        """Give the servos torque, unless this only reads, and begin; raises ArmFault."""
        if not self.arm.options.read_only:
            self.arm.hold()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="arm", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; the servos hold the arm where it is."""
        self._stopping.set()
        self._stream.hold()
        if self._thread is not None:
            self._thread.join(timeout=1.5)

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._stopping.is_set():
                self.tick(time.monotonic())
                due += self._period
                now = time.monotonic()
                if now > due + self._period:
                    self.late += 1
                    due = now
                self._stopping.wait(max(0.0, due - now))
        except Exception as error:  # what nobody foresaw must not leave a driver that looks alive
            self.failure(f"the driver's thread ended: {type(error).__name__}: {error}")

    def tick(self, now: float) -> None:
        """Read the arm, command and publish it."""
        begun = time.perf_counter()
        with self._busy:
            self.ticks += 1
            try:
                reading = self.arm.read(now)
                if reading is None:
                    self.incomplete += 1
                else:
                    self.reading = reading
            except ArmFault as fault:
                reading = None
                self._hold(fault)
            self._command(now)
        self.durations.append(time.perf_counter() - begun)
        if reading is not None:
            self._publish(reading)

    def _command(self, now: float) -> None:
        """Command what is due; where an answer was lost, by the latest reading."""
        reading = self.reading
        if reading is None or self.fault is not None or self.arm.options.read_only:
            return
        try:
            goal = self._stream.goal(now, self._period, reading.position)
        except DeviationError as error:
            self.deviations += 1
            self.deviation = str(error)
            goal = reading.position  # stop pressing against what is in the way
        fingers, self._fingers = self._fingers, None
        self.arm.move(goal, fingers)

    def _hold(self, fault: ArmFault) -> None:
        """Stop where the arm is."""
        if self.fault is None:
            self.fault = fault
            if self.reading is not None and not self.arm.options.read_only:
                self.arm.move(self.reading.position, None)
        self._stream.hold()

    def grip(self, travel: float) -> None:
        """Bring each finger to `travel` [m] from the middle with the next tick."""
        self._fingers = travel

    def recover(self) -> str:
        """Clear the fault and return what it was, or an empty text; raises ArmError or ArmFault where it stays."""
        with self._busy:
            before = self.fault
            if before is None:
                return ""
            self._stream.hold()
            self.arm.recover()
            self.fault = None
            return before.name

    def lower(self, sleep: Array) -> float:
        """Begin to lower the arm to `sleep` (n,) [rad]; return how long it takes [s]. Raises ArmFault: it is held."""
        if self.fault is not None:
            raise self.fault
        if self.reading is None or self.arm.options.read_only:
            return 0.0
        here, rest = self.reading.position, np.zeros(len(sleep))
        duration = max(1.0, 1.5 * float(np.max(np.abs(sleep - here))) / LOWERING_SPEED)
        points = (TrajectoryPoint(0.0, here, rest), TrajectoryPoint(duration, sleep, rest))
        self.lowered = True
        self._stream.hold()
        self._stream.follow(time.monotonic(), points, here)
        return duration

    def release(self) -> None:
        """Take the torque away from a lowered arm; raises ArmError."""
        with self._busy:
            self.arm.release()
            self._stream.hold()
            self.lowered = True

    def wake(self) -> None:
        """Hold the arm where it is and take commands again; raises ArmFault."""
        with self._busy:
            self._stream.hold()
            self.arm.hold()
            self.lowered = False
