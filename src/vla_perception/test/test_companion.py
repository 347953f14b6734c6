# SPDX-License-Identifier: Apache-2.0
"""A camera beside the reference: which of its images belongs to an observation, and when to wait for one."""

import numpy as np
import pytest
from vla_core.health import Level
from vla_core.observation_map.camera import Camera, Fit, Interpolation, Transport
from vla_core.settings import SettingsError
from vla_perception.camera.camera_health import CameraHealth
from vla_perception.camera.cameras import cameras_of
from vla_perception.camera.companion import Companion
from vla_perception.camera.observation_intake import Frame
from vla_perception.settings import CameraSettings

MS = 1_000_000
EPOCH = 1_700_000_000 * 1000 * MS


def companion(*stamps_ms: int) -> Companion:
    """A camera with images of these times."""
    health = CameraHealth("/wrist", camera_timeout_s=1.0, max_image_age_s=0.5, started_s=0.0)
    made = Companion(Camera("wrist", topic="/wrist", max_age_s=0.1), health)
    for stamp in stamps_ms:
        made.health.note_arrival(0.0)
        made.health.note_usable(0.0)
        made.insert(frame(stamp))
    return made


def frame(stamp_ms: int) -> Frame:
    return Frame(EPOCH + stamp_ms * MS, "wrist", np.zeros((1, 1, 3), np.uint8))


def picked(camera: Companion, stamp_ms: int) -> int | str:
    """The time [ms] of the image picked, or why there is none."""
    found = camera.pick(EPOCH + stamp_ms * MS, EPOCH + stamp_ms * MS, 0.0)
    return found if isinstance(found, str) else (found.stamp_ns - EPOCH) // MS


def test_the_nearest_image_is_picked_before_or_after() -> None:
    camera = companion(0, 100, 200)
    assert [picked(camera, at) for at in (-20, 40, 60, 160, 290)] == [0, 0, 100, 200, 200]
    assert camera.report(0.0).level is Level.OK


def test_a_missing_or_distant_image_is_said_with_what_is_valid() -> None:
    assert picked(companion(), 0) == "no usable image yet from /wrist"
    camera = companion(0)
    said = "its nearest image is 0.101 s away from the first camera's; valid is up to 0.1 s"
    assert picked(camera, 101) == said
    health = camera.report(0.0)
    assert (health.level, health.name, health.message) == (Level.WARN, "missing", said)
    camera.insert(frame(110))
    assert picked(camera, 101) == 110
    assert camera.report(0.0).level is Level.OK


@pytest.mark.parametrize(
    ("stamps", "at", "worth"),
    [
        ((), 0, False),  # nothing known about it
        ((0,), 90, False),
        ((0, 100), 200, True),  # the same moment is due
        ((0, 100), 195, True),
        ((0, 100), 140, False),  # the last one is nearer than the next
        ((0, 100), 160, False),  # the next one is nearer, and too late to wait for
        ((0, 100), 180, True),
        ((0, 100), 100, False),  # it is there
        ((0, 100), 900, False),  # the camera is silent
    ],
)
def test_waiting_is_for_a_nearer_image_that_is_due_soon(stamps: tuple[int, ...], at: int, worth: bool) -> None:
    assert companion(*stamps).is_worth_waiting(EPOCH + at * MS, 0.03) is worth


def test_a_clock_that_was_set_back_clears_the_images() -> None:
    camera = companion(5000, 5100)
    camera.insert(frame(0))
    assert picked(camera, 5100) == "its nearest image is 5.100 s away from the first camera's; valid is up to 0.1 s"
    assert picked(camera, 0) == 0


def test_without_a_map_there_is_the_camera_of_the_parameters() -> None:
    (camera,) = cameras_of(CameraSettings(image_topic="/c", image_transport="compressed", image_width=99))
    assert camera == Camera("front", "", "/c", Transport.COMPRESSED, (128, 99), Fit.CROP, Interpolation.AREA)
    assert camera.subscribed_topic == "/c/compressed"


def test_a_map_names_cameras_and_sizes_and_leaves_the_first_topic_to_the_parameters() -> None:
    front, wrist = cameras_of(CameraSettings(observation_map="openpi_droid", image_topic="/c"))
    assert (front.topic, front.size, front.fit) == ("/c", (224, 224), Fit.PAD)
    assert (wrist.topic, wrist.max_age_s) == ("camera/wrist/image_raw", 0.15)
    assert cameras_of(CameraSettings(observation_map="rt1")) == (
        Camera(
            "front",
            "observation/image",
            "camera/image_raw",
            size=(128, 160),
            fit=Fit.CROP,
            interpolation=Interpolation.AREA,
        ),
    )
    with pytest.raises(
        SettingsError, match=r"image_width is 320; valid with map rt1 is 0: camera front has size \[128"
    ):
        cameras_of(CameraSettings(observation_map="rt1", image_width=320))
