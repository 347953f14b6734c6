# SPDX-License-Identifier: Apache-2.0
"""The two threads of the simulator: physics in real time, and cameras beside it. No ROS: readings go to callbacks."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_sim.run.realtime import DelayLine, Pacer, Schedule
from vla_sim.world.camera import Camera
from vla_sim.world.scene import TIMESTEP
from vla_sim.world.simulation import JointReading, Simulation

TICK_S = 0.005  # the physics thread wakes up no more often
JOINT_STEPS = 5  # joint states every 10 ms
LOOK_UP_S = 0.5  # how soon a camera that is turned on live begins
CAMERA_NICE = 5  # drawing yields to physics, and to a controller on the same cores
VIEWER_NICE = 15  # pictures for people yield to those for the policy

Image = NDArray[np.uint8]


class Loop:
    """A thread that runs until stopped; `failed` is told when an exception ends it."""

    def __init__(self, name: str, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End and wait for the end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)

    def _main(self) -> None:
        try:
            self._run()
        except Exception:
            if not self._stopping.is_set():
                self._failed(f"the thread {self._thread.name!r} ended: {traceback.format_exc()}")

    def _run(self) -> None:
        raise NotImplementedError

    def _sleep_until(self, due: float) -> None:
        self._stopping.wait(max(0.0, due - time.monotonic()))


class PhysicsLoop(Loop):
    """Steps the simulation at the pace of the clock and hands out a joint reading every 10 ms of simulated time."""

    def __init__(
        self, simulation: Simulation, publish: Callable[[JointReading], None], failed: Callable[[str], None]
    ) -> None:
        super().__init__("physics", failed)
        self._simulation, self._publish = simulation, publish
        self._pacer = Pacer(TIMESTEP, time.monotonic())
        self._phase = 0  # steps since the last joint reading

    def _run(self) -> None:
        self._pacer = Pacer(TIMESTEP, time.monotonic())
        tick = time.monotonic()
        while not self._stopping.is_set():
            self._advance(self._pacer.due(time.monotonic()))
            tick = max(tick + TICK_S, time.monotonic())
            self._sleep_until(tick)

    def _advance(self, steps: int) -> None:
        now_ns = time.time_ns() - int((time.monotonic() - self._pacer.time_of_state) * 1e9)  # of the last state
        while steps > 0:
            some = min(steps, JOINT_STEPS - self._phase)
            steps -= some
            self._simulation.advance(some, now_ns - int(steps * TIMESTEP * 1e9))
            self._phase = (self._phase + some) % JOINT_STEPS
            if self._phase == 0:
                self._publish(self._simulation.joints())

    @property
    def real_time_factor(self) -> float:
        """Simulated seconds per wall second over the last 5 s."""
        return self._pacer.real_time_factor(time.monotonic())

    @property
    def lost_s(self) -> float:
        """Wall time [s] since the start that was not simulated."""
        return self._pacer.lost_s


@dataclass(frozen=True, slots=True)
class Shot:
    """One image of one camera."""

    camera: str
    stamp_ns: int
    image: Image  # (height, width, 3) RGB
    intrinsics: NDArray[np.float64]  # (3, 3) [pixels]


class CameraLoop(Loop):
    """Takes pictures on a schedule and hands each out `delay` seconds after its capture."""

    def __init__(
        self,
        simulation: Simulation,
        rates_hz: Mapping[str, float],
        size: tuple[int, int],
        publish: Callable[[Shot], None],
        failed: Callable[[str], None],
        nice: int = CAMERA_NICE,
    ) -> None:
        """`rates_hz`: of each camera by its name in the scene; `size`: (height, width); `nice`: of the thread."""
        super().__init__("cameras", failed)
        self._simulation, self._publish, self._size, self._nice = simulation, publish, size, nice
        self._rates = dict(rates_hz)
        self.delay = 0.0  # [s]
        self.frames = 0
        self.render_s = 0.0  # the last picture took

    def set_rate(self, name: str, rate_hz: float) -> None:
        """Change the rate of a camera; 0 turns it off. May be called from any thread."""
        self._rates = {**self._rates, name: rate_hz}

    @property
    def wanted_hz(self) -> float:
        """Pictures a second of all cameras together."""
        return sum(self._rates.values())

    def _run(self) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)  # of this thread and its GL threads
        while not self._stopping.is_set():
            if self.wanted_hz > 0:
                with Camera(self._simulation.world, *self._size) as camera:
                    self._take_pictures(camera)
            self._stopping.wait(LOOK_UP_S)

    def _take_pictures(self, camera: Camera) -> None:
        """Until the rates change."""
        rates, now = self._rates, time.monotonic()
        schedules = {name: Schedule(rate, now) for name, rate in rates.items() if rate > 0}
        waiting: DelayLine[Shot] = DelayLine()
        while not self._stopping.is_set() and rates is self._rates:
            self._sleep_until(min([waiting.next_due, *(s.next_due for s in schedules.values())]))
            for name, schedule in schedules.items():
                if not self._stopping.is_set() and schedule.take(time.monotonic()):
                    due = time.monotonic() + self.delay
                    waiting.put(self._shoot(camera, name), due)
            for shot in waiting.take(time.monotonic()):
                self._publish(shot)

    def _shoot(self, camera: Camera, name: str) -> Shot:
        start = time.monotonic()
        stamp = self._simulation.look(camera, name)
        shot = Shot(name, stamp, camera.image(), camera.intrinsics(name))
        self.render_s = time.monotonic() - start
        self.frames += 1
        return shot
