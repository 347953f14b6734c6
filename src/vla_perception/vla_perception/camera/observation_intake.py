# SPDX-License-Identifier: Apache-2.0
"""From the images of one camera as they come to the frames that become observations."""

from collections.abc import Callable
from dataclasses import dataclass

from vla_core.observation_map.camera import Camera

from vla_perception.camera.camera_health import CameraHealth
from vla_perception.camera.camera_watch import FreezeLimits, FreezeWatch, Picture, RateLimiter, Stamp, StampWatch
from vla_perception.errors import ImageError
from vla_perception.image.encodings import Uint8Array
from vla_perception.image.fitting import fit_image
from vla_perception.settings import CameraSettings
from vla_perception.state.robot_state import RobotStateTracker


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture ready for the policy."""

    stamp_ns: int  # [ns] capture time
    frame_id: str
    image: Uint8Array  # (height, width, 3) rgb


@dataclass(frozen=True, slots=True)
class CameraImage:
    """An image as it came: its bytes, and how to make pixels of them if they are wanted."""

    stamp_ns: int  # [ns]; 0 when the driver gives none
    frame_id: str
    content: Uint8Array  # (n,) whatever was sent
    decode: Callable[[], Uint8Array]  # raises ImageError


class ObservationIntake:
    """Refuses what is old, frozen, too much or broken, and scales the rest. Tells ``health`` about all of it."""

    def __init__(
        self, camera: Camera, settings: CameraSettings, states: RobotStateTracker, health: CameraHealth
    ) -> None:
        self._camera = camera
        self._states = states
        self._health = health
        self._stamps = StampWatch()
        self._freeze = FreezeWatch(FreezeLimits(settings.frozen_after, settings.frozen_motion))
        self._rate = RateLimiter(settings.max_rate)

    def ingest(self, image: CameraImage, arrival_ns: int, now_s: float) -> Frame | None:
        """The frame to be observed, or None when this image is passed over.

        ``arrival_ns`` stands in for a missing stamp; ``now_s`` is the health's clock. Raises ImageError.
        """
        self._health.note_arrival(now_s)
        if image.stamp_ns == 0:
            self._health.note_unstamped(now_s)
        stamp_ns = image.stamp_ns or arrival_ns
        if self._stamps.classify(stamp_ns) is Stamp.STALE:
            self._health.note_stale(now_s)
            return None
        frozen = self._judge(image.content, stamp_ns) is Picture.FROZEN
        if not self._rate.admit(stamp_ns):
            return None
        try:
            scaled = fit_image(image.decode(), self._camera)
        except ImageError as error:
            self._health.note_undecodable(str(error), now_s)
            raise
        self._health.note_usable(now_s)
        if frozen:
            self._health.withheld_frozen += 1
            return None
        return Frame(stamp_ns, image.frame_id, scaled)

    def _judge(self, content: Uint8Array, stamp_ns: int) -> Picture:
        self._freeze.note_joints(self._states.joints.at(stamp_ns).position)
        picture = self._freeze.judge(content, stamp_ns)
        self._health.picture, self._health.identical_s = picture, self._freeze.identical_s
        return picture
