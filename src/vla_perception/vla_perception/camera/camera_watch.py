# SPDX-License-Identifier: Apache-2.0
"""Is the camera alive? Stamps that stand still, pictures that stand still, silence, and the limit on the rate."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from vla_perception.image.encodings import Uint8Array
from vla_perception.state.stamped_ring import CLOCK_JUMP_NS, NS_PER_S, FloatArray

_EARLY = 0.25  # share of a period by which a jittering camera may be early


class RateLimiter:
    """Lets at most ``rate_hz`` stamps a second through on average, tolerating jitter."""

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = NS_PER_S / rate_hz
        self._due_ns: float | None = None

    def admit(self, stamp_ns: int) -> bool:
        """Whether the item of this stamp [ns] may pass. A clock set back starts afresh."""
        due = self._due_ns
        if due is None or stamp_ns < due - self._period_ns - CLOCK_JUMP_NS:
            due = float(stamp_ns)
        if stamp_ns < due - _EARLY * self._period_ns:
            return False
        self._due_ns = max(due, stamp_ns - self._period_ns) + self._period_ns
        return True


class Stamp(Enum):
    """What an image's stamp says about it."""

    NEW = "new"
    STALE = "stale"  # not newer than the image before


class StampWatch:
    """Tells new images from repeated and late ones."""

    def __init__(self) -> None:
        self._newest_ns: int | None = None
        self.stale_in_a_row = 0

    def classify(self, stamp_ns: int) -> Stamp:
        """Judge the next image by its stamp [ns]; one that is over a second older means that the clock was set back."""
        newest = self._newest_ns
        if newest is not None and newest - CLOCK_JUMP_NS <= stamp_ns <= newest:
            self.stale_in_a_row += 1
            return Stamp.STALE
        self._newest_ns = stamp_ns
        self.stale_in_a_row = 0
        return Stamp.NEW


class Picture(Enum):
    """What the pixels say about the camera."""

    LIVE = "live"
    STILL = "still"  # identical for too long while the robot rests: a frozen camera or a simulated still scene
    FROZEN = "frozen"  # identical for too long although the robot moved


@dataclass(frozen=True, slots=True)
class FreezeLimits:
    """When a picture that does not change counts as frozen; 0 disables either."""

    identical_s: float = 1.0  # [s]
    motion: float = 0.1  # [rad] or [m] that some joint must have moved meanwhile


class FreezeWatch:
    """Compares each image's bytes with the last ones: a real sensor's noise never repeats itself."""

    def __init__(self, limits: FreezeLimits) -> None:
        self._limits = limits
        self._last: Uint8Array | None = None
        self._since_ns = 0
        self._joints: FloatArray | None = None
        self._moved = False
        self.identical_s = 0.0  # [s] for how long the picture has been the same

    def note_joints(self, position: FloatArray) -> None:
        """Tell where the joints are (n,)."""
        if self._joints is None or self._joints.shape != position.shape:
            self._joints = position.copy()
        elif 0 < self._limits.motion <= float(np.max(np.abs(position - self._joints), initial=0.0)):
            self._moved = True

    def judge(self, content: Uint8Array, stamp_ns: int) -> Picture:
        """Judge the next image by its bytes (n,); call it with increasing stamps [ns]."""
        same = self._last is not None and np.array_equal(content, self._last) and stamp_ns >= self._since_ns
        if not same:
            self._last, self._since_ns, self._joints, self._moved = content.copy(), stamp_ns, None, False
        self.identical_s = (stamp_ns - self._since_ns) / NS_PER_S
        if self._limits.identical_s <= 0 or self.identical_s <= self._limits.identical_s:
            return Picture.LIVE
        return Picture.FROZEN if self._moved else Picture.STILL
