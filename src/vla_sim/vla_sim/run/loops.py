# SPDX-License-Identifier: Apache-2.0
"""The simulator's threads: their base, and the cameras. No ROS: pictures go to a callback."""

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

from vla_sim.run.clock import LoopClock
from vla_sim.run.realtime import DelayLine, Schedule
from vla_sim.world.camera import Camera
from vla_sim.world.simulation import Simulation

LOOK_UP_S = 0.5  # how soon a camera that is turned on live begins
CAMERA_NICE = 5  # drawing yields to physics, and to a controller on the same cores
VIEWER_NICE = 15  # pictures for people yield to those for the policy

Image = NDArray[np.uint8]


class Loop:
    """A thread that runs until stopped; `failed` is called when an exception ends it."""

    def __init__(self, name: str, failed: Callable[[str], None]) -> None:
        self._failed, self._name = failed, name
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, or begin again after a stop."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._main, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End and wait for the end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def _main(self) -> None:
        try:
            self._run()
        except Exception:
            if not self._stopping.is_set():
                self._failed(f"the thread {self._name!r} ended: {traceback.format_exc()}")

    def _run(self) -> None:
        raise NotImplementedError


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
        clock: LoopClock,
        rates_hz: Mapping[str, float],
        size: tuple[int, int],
        publish: Callable[[Shot], None],
        failed: Callable[[str], None],
        nice: int = CAMERA_NICE,
        camera: type[Camera] = Camera,
    ) -> None:
        """Prepare the thread, which `start` begins.

        Args:
            simulation: the world that is drawn.
            clock: time of the rates and the delay.
            rates_hz: rate of each camera by its name in the scene; 0 turns it off.
            size: height and width [pixels].
            publish: called with each picture.
            failed: called with the text of an exception that ended the thread.
            nice: niceness of the thread.
            camera: what draws the pictures.
        """
        super().__init__("cameras", failed)
        self._simulation, self._clock, self._publish, self._size, self._nice = simulation, clock, publish, size, nice
        self._rates = dict(rates_hz)
        self._camera = camera
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
                with self._camera(self._simulation.world, *self._size) as camera:
                    self._take_pictures(camera)
            self._stopping.wait(LOOK_UP_S)

    def _take_pictures(self, camera: Camera) -> None:
        """Until the rates change."""
        rates, now = self._rates, self._clock.now()
        schedules = {name: Schedule(rate, now) for name, rate in rates.items() if rate > 0}
        waiting: DelayLine[Shot] = DelayLine()
        while not self._stopping.is_set() and rates is self._rates:
            self._clock.wait_until(min([waiting.next_due, *(s.next_due for s in schedules.values())]), self._stopping)
            for name, schedule in schedules.items():
                if not self._stopping.is_set() and schedule.take(self._clock.now()):
                    due = self._clock.now() + self.delay
                    waiting.put(self._shoot(camera, name), due)
            for shot in waiting.take(self._clock.now()):
                self._publish(shot)

    def _shoot(self, camera: Camera, name: str) -> Shot:
        start = time.monotonic()
        stamp = self._simulation.look(camera, name)
        shot = Shot(name, stamp, camera.image(), camera.intrinsics(name))
        self.render_s = time.monotonic() - start
        self.frames += 1
        return shot
