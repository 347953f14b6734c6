# SPDX-License-Identifier: Apache-2.0
"""What the camera node has seen lately, and the human-readable verdict on it."""

from collections import deque
from dataclasses import dataclass, field

from vla_core.health import Health, Level

from vla_perception.camera.camera_watch import Picture

RECENT_S = 2.0
"""Findings older than this [s] no longer count against the camera."""
FUTURE_S = 0.05
"""Lead [s] of an image's stamp over this machine's clock above which the clocks are not in step."""


@dataclass(slots=True)
class CameraHealth:
    """Counters of the node; the caller passes the time [s] of a clock that never jumps."""

    source: str  # where images come from, for people
    camera_timeout_s: float
    max_image_age_s: float
    started_s: float
    images: int = 0
    published: int = 0
    undecodable: int = 0
    stale: int = 0
    unstamped: int = 0
    withheld_frozen: int = 0
    source_problem: str = ""  # of the built-in source
    picture: Picture = Picture.LIVE
    identical_s: float = 0.0
    image_age_s: float = 0.0
    last_error: str = ""
    _arrived_s: float | None = None
    _usable_s: float | None = None
    _undecodable_s: float = float("-inf")
    _stale_s: float = float("-inf")
    _unstamped_s: float = float("-inf")
    _sent_s: deque[float] = field(default_factory=lambda: deque(maxlen=200))

    def note_arrival(self, now_s: float) -> None:
        """An image message came, of whatever quality."""
        self.images += 1
        self._arrived_s = now_s

    def note_usable(self, now_s: float) -> None:
        """An image could be used."""
        self._usable_s = now_s

    def note_undecodable(self, reason: str, now_s: float) -> None:
        """An image could not be decoded."""
        self.undecodable += 1
        self.last_error, self._undecodable_s = reason, now_s

    def note_stale(self, now_s: float) -> None:
        """An image was not newer than the one before."""
        self.stale += 1
        self._stale_s = now_s

    def note_unstamped(self, now_s: float) -> None:
        """An image came without a capture time."""
        self.unstamped += 1
        self._unstamped_s = now_s

    def note_sent(self, image_age_s: float, now_s: float) -> None:
        """An observation was published."""
        self.published += 1
        self.image_age_s = image_age_s
        self._sent_s.append(now_s)

    def rate_hz(self, now_s: float) -> float:
        """Observations a second over the last RECENT_S."""
        return sum(now_s - sent <= RECENT_S for sent in self._sent_s) / RECENT_S

    def report(self, now_s: float) -> Health:
        """The most important finding, with all counters."""
        level, name, message = self._camera_finding(now_s) or self._fine(now_s)
        # A simulated scene at rest is no news for the log.
        return Health(level, name, message, self._values(now_s), is_logged=name != "still")

    def _camera_finding(self, now_s: float) -> tuple[Level, str, str] | None:
        if self.source_problem:
            return Level.WARN, "source", self.source_problem
        silence = now_s - (self._usable_s if self._usable_s is not None else self.started_s)
        if silence > self.camera_timeout_s:
            return self._silence(silence, now_s)
        if now_s - self._undecodable_s <= RECENT_S:
            return Level.WARN, "undecodable", f"some images cannot be decoded: {self.last_error}"
        if self.picture is Picture.FROZEN:
            reason = f"the same picture for {self.identical_s:.1f} s although the robot moved: the camera is frozen"
            return Level.ERROR, "frozen", f"{reason}; no observations are sent until the picture changes"
        if self.picture is Picture.STILL:
            reason = f"the same picture for {self.identical_s:.1f} s: frozen camera, or a simulated scene at rest"
            return Level.WARN, "still", reason
        if now_s - self._unstamped_s <= RECENT_S:
            return Level.WARN, "unstamped", "images carry no capture time; their arrival is used instead"
        if self.image_age_s < -FUTURE_S and self.rate_hz(now_s) > 0:
            reason = f"images are stamped {-self.image_age_s:.3f} s in the future, accepted is up to {FUTURE_S} s"
            return Level.WARN, "future", f"{reason}; is the camera's clock in step with this machine's?"
        if self.image_age_s > self.max_image_age_s and self.rate_hz(now_s) > 0:
            reason = f"images are {self.image_age_s:.3f} s old on arrival, expected is 0 to {self.max_image_age_s} s"
            return Level.WARN, "old", f"{reason}; is the camera's clock in step with this machine's?"
        return None

    def _silence(self, silence: float, now_s: float) -> tuple[Level, str, str]:
        bad_s = max(self._undecodable_s, self._stale_s)
        if now_s - bad_s > max(self.camera_timeout_s, RECENT_S):
            since = "ever" if self._arrived_s is None else f"for {now_s - self._arrived_s:.1f} s"
            return Level.WARN, "no_camera", f"no image received {since} from {self.source}; is the camera running?"
        if bad_s == self._undecodable_s:
            reason = f"no usable image for {silence:.1f} s: they arrive but cannot be decoded: {self.last_error}"
            return Level.WARN, "undecodable", reason
        reason = f"no new image for {silence:.1f} s: the camera is frozen, it repeats an old capture time"
        return Level.WARN, "stale", reason

    def _fine(self, now_s: float) -> tuple[Level, str, str]:
        return Level.OK, "ok", f"{self.rate_hz(now_s):.1f} observations a second"

    def _values(self, now_s: float) -> dict[str, str]:
        return {
            "source": self.source,
            "rate_hz": f"{self.rate_hz(now_s):.1f}",
            "image_age_s": f"{self.image_age_s:.4f}",
            "images": str(self.images),
            "published": str(self.published),
            "undecodable": str(self.undecodable),
            "stale": str(self.stale),
            "unstamped": str(self.unstamped),
            "withheld_frozen": str(self.withheld_frozen),
            "last_error": self.last_error,
        }
