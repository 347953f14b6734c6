# SPDX-License-Identifier: Apache-2.0
"""The verdicts on camera and robot state, and the intake they come from, without ROS."""

import numpy as np
import pytest
from vla_core.health import Level
from vla_core.settings import SettingsError
from vla_perception.camera.camera_health import CameraHealth
from vla_perception.camera.cameras import cameras_of
from vla_perception.camera.observation_intake import CameraImage, ObservationIntake
from vla_perception.errors import ImageError
from vla_perception.settings import CameraSettings
from vla_perception.state.joint_state_buffer import JointStateBuffer
from vla_perception.state.robot_state import RobotStateTracker
from vla_perception.state.state_health import StateHealth

MS = 1_000_000
EPOCH = 1_700_000_000 * 1000 * MS


class Camera:
    """An intake fed with images at 20 Hz; time starts at 0 s."""

    def __init__(self, **settings: object) -> None:
        self.settings = CameraSettings(image_height=8, image_width=10, **settings)
        self.states = RobotStateTracker(JointStateBuffer(extend=True), ["f"], self.settings.max_state_gap)
        self.health = CameraHealth("/image", 1.0, 0.5, started_s=0.0)
        self.intake = ObservationIntake(cameras_of(self.settings)[0], self.settings, self.states, self.health)
        self.time_s = 0.0

    def show(self, value: int, stamp_s: float | None = None, broken: bool = False):
        self.time_s += 0.05
        image = np.full((16, 20, 3), value, np.uint8)

        def decode() -> np.ndarray:
            if broken:
                raise ImageError("broken on purpose")
            return image

        stamp_ns = EPOCH + int(1000 * (self.time_s if stamp_s is None else stamp_s)) * MS
        return self.intake.ingest(
            CameraImage(stamp_ns, "cam", image.reshape(-1), decode), EPOCH + int(self.time_s * 1000) * MS, self.time_s
        )

    @property
    def verdict(self) -> str:
        return self.health.report(self.time_s).name


def test_live_camera_gives_frames_of_the_policys_size() -> None:
    camera = Camera()
    frames = [camera.show(k) for k in range(60)]
    assert all(frame is not None and frame.image.shape == (8, 10, 3) for frame in frames)
    assert camera.verdict == "ok"


def test_silence_then_recovery() -> None:
    camera = Camera()
    camera.time_s = 0.9
    assert camera.verdict == "ok"
    camera.time_s = 1.1
    assert camera.verdict == "no_camera"
    camera.show(1)
    assert camera.verdict == "ok"
    camera.time_s += 1.2
    assert "no image received for 1.2 s from /image" in camera.health.report(camera.time_s).message


def test_broken_images_among_good_ones_and_only_broken_ones() -> None:
    camera = Camera()
    camera.show(1)
    for _ in range(30):
        with pytest.raises(ImageError):
            camera.show(2, broken=True)
    report = camera.health.report(camera.time_s)
    assert report.name == "undecodable"
    assert "no usable image" in report.message
    assert report.values["undecodable"] == "30"
    camera.show(3)
    assert "some images cannot be decoded: broken on purpose" in camera.health.report(camera.time_s).message


def test_repeated_stamp() -> None:
    camera = Camera()
    camera.show(0, stamp_s=5.0)
    assert [camera.show(k, stamp_s=5.0) for k in range(30)] == [None] * 30
    assert camera.verdict == "stale"


def test_unstamped_images_are_stamped_on_arrival() -> None:
    camera = Camera()
    frame = camera.intake.ingest(
        CameraImage(0, "cam", np.zeros(3, np.uint8), lambda: np.zeros((4, 4, 3), np.uint8)), EPOCH, 0.1
    )
    assert frame is not None
    assert frame.stamp_ns == EPOCH
    camera.time_s = 0.1
    assert camera.verdict == "unstamped"


def test_frozen_only_when_the_robot_moves() -> None:
    camera = Camera()
    for _ in range(40):
        camera.states.joints.insert(EPOCH + int(camera.time_s * 1000 + 50) * MS, ["j", "f"], [0.0, 0.01])
        frame = camera.show(7)
    assert camera.verdict == "still"
    assert frame is not None
    for k in range(10):
        camera.states.joints.insert(EPOCH + int(camera.time_s * 1000 + 50) * MS, ["j", "f"], [0.05 * k, 0.01])
        frame = camera.show(7)
    assert frame is None
    report = camera.health.report(camera.time_s)
    assert (report.name, report.level) == ("frozen", Level.ERROR)
    assert camera.show(8) is not None
    assert camera.verdict == "ok"


def test_old_images() -> None:
    camera = Camera()
    for k in range(3):
        camera.show(k)
        camera.health.note_sent(0.9, camera.time_s)
    assert camera.verdict == "old"


def test_state_verdicts() -> None:
    health = StateHealth(max_gap_s=0.1)
    tracker = RobotStateTracker(JointStateBuffer(["a"], extend=False), [], 0.1)
    assert health.report(0.0).name == "ok"
    health.note_used(tracker.at(EPOCH), 0.0)
    assert health.report(0.1).name == "no_joints"
    tracker.joints.insert(EPOCH, ["a"], [1.0])
    health.note_used(tracker.at(EPOCH), 0.0)
    assert health.report(0.1).name == "no_pose"
    tracker.poses.insert(EPOCH, [0, 0, 0], [0, 0, 0, 1])
    health.note_used(tracker.at(EPOCH), 0.0)
    assert health.report(0.1).name == "ok"
    health.note_used(tracker.at(EPOCH + 150 * MS), 0.0)
    assert health.report(0.1).name == "gap"
    health.note_refused("bad", 1.0)
    assert health.report(1.5).message == "bad"
    assert health.report(9.0).name == "ok"


def test_waiting_is_worth_it_only_for_sources_that_talk() -> None:
    tracker = RobotStateTracker(JointStateBuffer(["a"]), [], 0.1)
    assert not tracker.is_worth_waiting(EPOCH)
    tracker.joints.insert(EPOCH, ["a"], [1.0])
    assert tracker.is_worth_waiting(EPOCH + 10 * MS)
    assert not tracker.is_worth_waiting(EPOCH)
    assert not tracker.is_worth_waiting(EPOCH + 900 * MS)


@pytest.mark.parametrize("wrong", [{"source": "radio"}, {"image_height": -1}, {"max_rate": 1e6}, {"joint_wait": -1.0}])
def test_settings_say_what_is_valid(wrong: dict) -> None:
    with pytest.raises(SettingsError, match="valid"):
        CameraSettings(**wrong)
