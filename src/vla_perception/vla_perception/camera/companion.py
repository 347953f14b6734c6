# SPDX-License-Identifier: Apache-2.0
"""A camera beside the reference: its recent images, and which of them belongs to an observation."""

from collections import deque

from vla_core.health import Health, Level
from vla_core.observation_map.camera import Camera

from vla_perception.camera.camera_health import CameraHealth
from vla_perception.camera.camera_watch import Picture
from vla_perception.camera.observation_intake import Frame
from vla_perception.state.stamped_ring import CLOCK_JUMP_NS, NS_PER_S

KEPT = 8  # images


class Companion:
    """Gives the image nearest in time to the reference's, if it is near enough."""

    def __init__(self, camera: Camera, health: CameraHealth) -> None:
        self.camera, self.health = camera, health
        self._frames: deque[Frame] = deque(maxlen=KEPT)
        self._problem = ""

    def insert(self, frame: Frame) -> None:
        """Store an image; a clock that was set back clears the others."""
        if self._frames and frame.stamp_ns < self._frames[-1].stamp_ns - CLOCK_JUMP_NS:
            self._frames.clear()
        self._frames.append(frame)

    def is_worth_waiting(self, stamp_ns: int, patience_s: float) -> bool:
        """Whether an image nearer to `stamp_ns` is due within `patience_s` of it, by the camera's last period."""
        if len(self._frames) < 2:
            return False
        newest, period = self._frames[-1].stamp_ns, self._frames[-1].stamp_ns - self._frames[-2].stamp_ns
        away = abs(newest + period - stamp_ns)
        return away < stamp_ns - newest and away <= patience_s * NS_PER_S

    def pick(self, stamp_ns: int, now_ns: int, now_s: float) -> Frame | str:
        """Return the image of an observation at `stamp_ns` [ns], or why there is none.

        `now_ns` is the time of the stamps' clock, `now_s` that of the health's.
        """
        nearest = min(self._frames, key=lambda frame: abs(frame.stamp_ns - stamp_ns), default=None)
        if nearest is None:
            self._problem = f"no usable image yet from {self.health.source}"
            return self._problem
        away_s = abs(nearest.stamp_ns - stamp_ns) / NS_PER_S
        if away_s > self.camera.max_age_s:
            frozen = "; the camera is frozen" if self.health.picture is Picture.FROZEN else ""
            self._problem = (
                f"its nearest image is {away_s:.3f} s away from the first camera's; "
                f"valid is up to {self.camera.max_age_s:g} s{frozen}"
            )
            return self._problem
        self._problem = ""
        self.health.note_sent((now_ns - nearest.stamp_ns) / NS_PER_S, now_s)
        return nearest

    def report(self, now_s: float) -> Health:
        """Return the camera's own finding, or why the last observation went without it."""
        health = self.health.report(now_s)
        if health.level is not Level.OK or not self._problem:
            return health
        return Health(Level.WARN, "missing", self._problem, health.values)
