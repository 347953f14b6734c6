# SPDX-License-Identifier: Apache-2.0
"""The physics thread: at the pace of the wall clock, or on simulated time that can be paused, stepped and scaled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vla_sim.run.clock import SimulatedClock
from vla_sim.run.loops import Loop
from vla_sim.run.realtime import Pacer
from vla_sim.world.scene import TIMESTEP
from vla_sim.world.simulation import JointReading, Simulation

TICK_S = 0.005  # [s] shortest interval between two wake-ups of the thread
JOINT_STEPS = 5  # physics steps between joint readings: 10 ms
STEP_NS = round(TIMESTEP * 1e9)


class PhysicsLoop(Loop):
    """Steps the simulation and hands out a joint reading every 10 ms of simulated time.

    Without a `clock` the world runs in real time and its states are stamped with the system's time. With one the
    stamps are simulated time, and the world may be paused, stepped, and run slower or faster than real.
    """

    def __init__(
        self,
        simulation: Simulation,
        publish: Callable[[JointReading], None],
        failed: Callable[[str], None],
        clock: SimulatedClock | None = None,
    ) -> None:
        super().__init__("physics", failed)
        self._simulation, self._publish, self._clock = simulation, publish, clock
        self._pacer = Pacer(TIMESTEP, time.monotonic(), clock.speed if clock else 1.0)
        self._phase = 0  # steps since the last joint reading
        self._paused = False
        self._owed = 0  # steps to take while paused
        self._changed = threading.Condition()

    @property
    def paused(self) -> bool:
        """Whether the world stands still."""
        return self._paused

    def pause(self, paused: bool) -> None:
        """Stop the world, or let it go on."""
        with self._changed:
            self._paused = paused
            self._owed = 0
            self._changed.notify_all()

    def set_speed(self, speed: float) -> None:
        """Run at `speed` simulated seconds per wall second from now on; needs a simulated clock."""
        assert self._clock is not None
        self._clock.speed = self._pacer.speed = speed

    def step(self, steps: int, timeout: float) -> bool:
        """Take `steps` physics steps of a paused world; return whether they were done within `timeout` [s]."""
        with self._changed:
            self._owed += steps
            return self._changed.wait_for(lambda: self._owed == 0, timeout)

    def _run(self) -> None:
        self._pacer.restart(time.monotonic())
        tick = time.monotonic()
        while not self._stopping.is_set():
            with self._changed:  # so that the world stands still when `pause` returns
                if self._paused:
                    self._take_owed()
                    self._pacer.restart(time.monotonic())
                else:
                    self._advance(self._pacer.due(time.monotonic()))
            tick = max(tick + TICK_S, time.monotonic())
            self._stopping.wait(max(0.0, tick - time.monotonic()))

    def _take_owed(self) -> None:
        if self._owed:
            self._advance(self._owed)
            if self._phase:
                self._publish(self._simulation.joints())
            self._owed = 0
            self._changed.notify_all()

    def _advance(self, steps: int) -> None:
        end_ns = self._stamp_after(steps)
        while steps > 0:
            some = min(steps, JOINT_STEPS - self._phase)
            steps -= some
            stamp_ns = end_ns - steps * STEP_NS
            self._simulation.advance(some, stamp_ns)
            if self._clock:
                self._clock.set(stamp_ns)
            self._phase = (self._phase + some) % JOINT_STEPS
            if self._phase == 0:
                self._publish(self._simulation.joints())

    def _stamp_after(self, steps: int) -> int:
        """Stamp [ns] of the state after `steps` more steps."""
        if self._clock:
            return self._clock.stamp_ns() + steps * STEP_NS
        return time.time_ns() - int((time.monotonic() - self._pacer.time_of_state) * 1e9)

    @property
    def real_time_factor(self) -> float:
        """Simulated seconds per wall second over the last 5 s; 0 while paused."""
        return 0.0 if self._paused else self._pacer.real_time_factor(time.monotonic())

    @property
    def aim(self) -> float:
        """Simulated seconds per wall second that the loop aims at; 0 while paused."""
        return 0.0 if self._paused else self._pacer.speed

    @property
    def lost_s(self) -> float:
        """Wall time [s] since the start that was not simulated."""
        return self._pacer.lost_s
