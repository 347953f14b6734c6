# SPDX-License-Identifier: Apache-2.0
"""camera_node over DDS: observations out of good input, and words out of bad."""

import itertools
import signal
import time

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, JointState
from vla_perception.image.resizing import resize_to

from vla_msgs.msg import Observation

CAMERA_NODE = "vla_perception.camera_node"
pytestmark = pytest.mark.node
MS = 1_000_000
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
OBSERVATION, IMAGE, JOINTS, POSE = "/vla/observation", "/camera/image_raw", "/joint_states", "/vla/ee_pose"
STATUS, STATE_STATUS = "camera_node: camera", "camera_node: robot state"
ARM = [f"fr3_joint{k}" for k in range(1, 8)]
FINGERS = ["fr3_finger_joint1", "fr3_finger_joint2"]


def picture(seed: int, height: int = 256, width: int = 320) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


class Sent:
    """The newest stamp sent [ns]: the node under test is shared, and a stamp that is not newer is refused."""

    newest_ns = 0


def fresh_ns() -> int:
    """A capture time [ns] later than all before, and now at the earliest."""
    Sent.newest_ns = max(time.time_ns(), Sent.newest_ns + 40 * MS)
    return Sent.newest_ns


def stamped(message, stamp_ns: int, frame: str = "camera"):
    Sent.newest_ns = max(Sent.newest_ns, stamp_ns)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    message.header.frame_id = frame
    return message


def raw(pixels: np.ndarray, stamp_ns: int | None = None, encoding: str = "rgb8", **changes) -> Image:
    height, width = pixels.shape[:2]
    fields = {"height": height, "width": width, "step": pixels.nbytes // height, "data": pixels.tobytes(), **changes}
    return stamped(Image(encoding=encoding, **fields), fresh_ns() if stamp_ns is None else stamp_ns)


def joints(stamp_ns: int, value: float, names: list[str] | None = None) -> JointState:
    names = ARM + FINGERS if names is None else names
    return stamped(JointState(name=names, position=[value] * len(names), velocity=[1.0] * len(names)), stamp_ns, "")


def pose(stamp_ns: int, x: float, frame: str = "fr3_link0") -> PoseStamped:
    message = stamped(PoseStamped(), stamp_ns, frame)
    message.pose.position.x, message.pose.orientation.w = x, 1.0
    return message


@pytest.fixture(scope="module")
def node(start_node):
    process = start_node(
        CAMERA_NODE,
        robot_config="fr3",
        observation_map="rt1",
        camera_timeout=0.5,
        frozen_after=0.4,
        joint_wait=0.5,
    )
    process.wait_for("waiting for images")
    return process


@pytest.fixture
def camera(node, bench):
    bench.listen(Observation, OBSERVATION, BEST_EFFORT)
    bench.spin_until(lambda: bench.node.count_publishers(OBSERVATION) > 0)
    yield bench
    assert node.process.poll() is None, node.output
    assert "Traceback" not in node.output


def observation_of(bench, message) -> Observation | None:
    """The observation made of an image, once it has come."""
    return next((seen for seen in bench.received[OBSERVATION] if seen.header.stamp == message.header.stamp), None)


def observe(bench, message, qos=5) -> Observation:
    """Send an image, again should it get lost (the node does not take one twice), and return its observation."""
    due = 0.0

    def arrived() -> bool:
        nonlocal due
        if time.monotonic() >= due:
            bench.send(IMAGE, message, qos)
            due = time.monotonic() + 2.0
        return observation_of(bench, message) is not None

    bench.spin_until(arrived)
    return observation_of(bench, message)


def pixels_of(observation: Observation) -> np.ndarray:
    image = observation.images[0].image
    assert (image.encoding, image.step) == ("rgb8", 3 * image.width)
    return np.asarray(image.data, np.uint8).reshape(image.height, image.width, 3)


def test_no_camera_is_said_at_once(camera):
    status = camera.diagnosis(STATUS, "no image received ever from /camera/image_raw")
    assert status.level == b"\x01"
    assert not camera.received[OBSERVATION]


@pytest.mark.parametrize("qos", [BEST_EFFORT, 5], ids=["best_effort", "reliable"])
def test_encodings_and_both_reliabilities(camera, qos):
    rgb = picture(1)
    variants = {
        "rgb8": rgb,
        "bgr8": cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR),
        "rgba8": cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA),
        "bgra8": cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA),
    }
    for encoding, sent in variants.items():
        observation = observe(camera, raw(sent, encoding=encoding), qos)
        np.testing.assert_array_equal(pixels_of(observation), resize_to(rgb, (128, 160)))
        camera.spin(0.05)
    assert 0.0 <= observation.image_age < 5.0
    assert observation.header.frame_id == "camera"


def observe_between_states(camera) -> Observation:
    """An image between two states of which the later one is sent after it; the earlier ones end 4 ms before it."""
    now = fresh_ns() + 50 * MS
    for k in range(-5, 1):
        camera.send(JOINTS, joints(now + k * 10 * MS, 0.01 + k * 0.001))
        camera.send(POSE, pose(now + k * 10 * MS, k * 0.1))
    camera.spin(0.2)
    image = raw(picture(2), now + 4 * MS)
    camera.send(IMAGE, image, 5)
    camera.send(JOINTS, joints(now + 10 * MS, 0.011))
    camera.send(POSE, pose(now + 10 * MS, 0.1))
    return observe(camera, image)


def test_state_is_interpolated_to_the_image(camera):
    for _ in range(10):
        observation = observe_between_states(camera)
        if observation.joint_state_gap == pytest.approx(0.006):
            break  # the later states beat the node's patience, as they do unless it is starved
    assert observation.joint_state_gap == pytest.approx(0.006)
    assert list(observation.joint_names) == ARM + FINGERS
    np.testing.assert_allclose(observation.joint_position, 0.0104, atol=1e-9)
    np.testing.assert_allclose(observation.joint_velocity, 1.0)
    assert observation.ee_pose_valid
    assert observation.ee_pose.position.x == pytest.approx(0.04)
    assert observation.base_frame == "fr3_link0"
    assert observation.gripper_width == pytest.approx(2 * observation.joint_position[-2])


def test_without_newer_state_the_nearest_is_used_and_the_gap_told(camera):
    now = fresh_ns() + 10**9  # far from the states of the tests before
    camera.send(JOINTS, joints(now, 0.02))
    camera.spin(0.2)
    observation = observe(camera, raw(picture(3), now + 60 * MS))
    assert observation.joint_state_gap == pytest.approx(0.06, abs=1e-6)
    assert observation.joint_position[0] == pytest.approx(0.02)
    observation = observe(camera, raw(picture(4), now + 700 * MS))
    assert not observation.ee_pose_valid
    assert observation.joint_state_gap > 0.5
    camera.diagnosis(STATE_STATUS, "joint states are")


BAD = [
    (raw(picture(5), 0, encoding="rgb9"), "unknown image encoding 'rgb9'; valid encodings"),
    (raw(picture(5), 0, data=b"\0" * 999), "truncated image"),
    (raw(picture(5), 0, height=0, width=0), "empty image"),
    (raw(picture(5), 0, step=10), "step too small"),
    (raw(picture(5), 0, encoding="yuv422", width=321), "odd size"),
]


@pytest.mark.parametrize(("message", "said"), BAD, ids=[said for _, said in BAD])
def test_broken_images_are_counted_and_survived(camera, node, message, said):
    seed = len(node.output)
    camera.spin(0.6)  # what is waited for longest, has come
    camera.received[OBSERVATION].clear()
    status = camera.diagnosis(STATUS, said, lambda: camera.send(IMAGE, stamped(message, fresh_ns()), 5))
    assert int({item.key: item.value for item in status.values}["undecodable"]) >= 1
    assert not camera.received[OBSERVATION]
    assert observe(camera, raw(picture(seed))).images[0].image.width == 160


def test_repeated_capture_time_is_a_frozen_camera(camera):
    stamp = fresh_ns()
    observe(camera, raw(picture(6), stamp))
    camera.received[OBSERVATION].clear()
    others = (raw(picture(7 + k), stamp) for k in range(10**6))
    camera.diagnosis(STATUS, "repeats an old capture time", lambda: camera.send(IMAGE, next(others), 5))
    assert not camera.received[OBSERVATION]


def test_same_picture_while_the_robot_moves_is_withheld(camera):
    still, base, k = picture(50), fresh_ns(), 0

    def move_before_a_frozen_camera():
        nonlocal k
        k += 1
        camera.send(JOINTS, joints(base + k * 50 * MS, 0.02 * k))
        camera.send(IMAGE, raw(still, base + k * 50 * MS), 5)

    assert camera.diagnosis(STATUS, "the camera is frozen", move_before_a_frozen_camera).level == b"\x02"
    camera.spin(0.6)
    camera.received[OBSERVATION].clear()
    move_before_a_frozen_camera()
    camera.spin(0.6)
    assert not camera.received[OBSERVATION]
    observe(camera, raw(picture(51)))


def test_a_still_scene_only_warns(camera):
    def rest():
        camera.send(IMAGE, raw(picture(60)), 5)

    camera.diagnosis(STATUS, "or a simulated scene at rest", rest)
    observe(camera, raw(picture(60)))


def test_malformed_states_are_told_and_survived(camera):
    camera.send(JOINTS, stamped(JointState(name=["fr3_joint1", "b"], position=[1.0]), time.time_ns(), ""))
    camera.diagnosis(STATE_STATUS, "2 names, 1 positions")
    camera.send(POSE, pose(time.time_ns(), 0.0, "moon"))
    camera.diagnosis(STATE_STATUS, "frame 'moon' refused; valid: 'fr3_link0'")


MAP = """
format: vla_observation_map/1
cameras:
  - {name: front, key: image, topic: /m/front, size: [24, 32], fit: crop, interpolation: area}
  - name: wrist
    key: wrist_image
    topic: /m/wrist
    transport: compressed
    size: [16, 16]
    fit: pad
    rotate: 90
    max_age_s: 0.2
prompt: prompt
action: {mode: ee_delta, parts: [{part: translation}]}
"""


def test_every_camera_of_a_map_is_in_the_observation_and_a_missing_one_is_named(start_node, bench, tmp_path):
    (tmp_path / "two.yaml").write_text(MAP)
    process = start_node(CAMERA_NODE, observation_map=tmp_path / "two.yaml", observation_topic="/m/out")
    process.wait_for("waiting for images")
    bench.listen(Observation, "/m/out", BEST_EFFORT)
    bench.spin_until(lambda: bench.node.count_publishers("/m/out") > 0)
    front, wrist = picture(1), picture(2, 40, 60)
    sent = 0

    def send(both: bool) -> None:
        nonlocal sent
        sent += 1
        stamp = fresh_ns()
        if both:
            data = cv2.imencode(".png", cv2.cvtColor(np.roll(wrist, sent, axis=1), cv2.COLOR_RGB2BGR))[1].tobytes()
            bench.send(
                "/m/wrist/compressed", stamped(CompressedImage(format="png", data=data), stamp + 7 * MS, "hand"), 5
            )
        bench.send("/m/front", raw(np.roll(front, sent, axis=1), stamp), 5)
        bench.spin(0.1)

    def seen(both: bool, wanted):
        def arrived() -> bool:
            send(both)
            return any(map(wanted, bench.received["/m/out"]))

        bench.spin_until(arrived)
        return next(message for message in bench.received["/m/out"] if wanted(message))

    alone = seen(False, lambda message: message.missing)
    assert ([image.name for image in alone.images], list(alone.missing)) == (["front"], ["wrist"])
    assert list(alone.missing_reasons) == ["no usable image yet from /m/wrist/compressed"]
    together = seen(True, lambda message: len(message.images) == 2)
    assert [(image.name, image.image.height, image.image.width) for image in together.images] == [
        ("front", 24, 32),
        ("wrist", 16, 16),
    ]
    assert together.images[0].image.header == together.header
    assert together.images[1].image.header.frame_id == "hand"
    assert not list(together.missing)
    pixels = np.asarray(together.images[1].image.data, np.uint8).reshape(16, 16, 3)
    assert not pixels[:, :2].any()  # turned upright, it has bars at the sides
    assert pixels[:, 8].all(axis=1).any()
    assert bench.diagnosis("camera_node: camera wrist", "observations a second", lambda: send(True)).level == b"\x00"
    bench.received["/m/out"].clear()
    lost = seen(False, lambda message: message.missing)
    assert "s away from the first camera's; valid is up to 0.2 s" in lost.missing_reasons[0]
    assert bench.diagnosis("camera_node: camera wrist", "no image received for", lambda: send(False)).level == b"\x01"
    assert process.stop(signal.SIGTERM) == 0


def test_compressed_transport_and_rate_limit(start_node, bench):
    process = start_node(
        CAMERA_NODE, image_transport="compressed", image_topic="/c", observation_topic="/c/out", max_rate=10.0
    )
    process.wait_for("waiting for images")
    bench.listen(Observation, "/c/out", BEST_EFFORT)
    bench.spin_until(lambda: bench.node.count_publishers("/c/out") > 0)
    rgb = picture(1)
    base = fresh_ns()
    sent = 0

    def send_50_hz() -> bool:
        nonlocal sent
        sent += 1
        data = cv2.imencode(".png", cv2.cvtColor(np.roll(rgb, sent, axis=1), cv2.COLOR_RGB2BGR))[1].tobytes()
        image = stamped(CompressedImage(format="png", data=data), base + sent * 20 * MS)
        bench.send("/c/compressed", image, 5)
        bench.spin(0.02)
        return len(bench.received["/c/out"]) >= 8

    bench.spin_until(send_50_hz)
    assert len(bench.received["/c/out"]) <= sent * 0.02 * 10.0 + 2
    last = bench.received["/c/out"][-1]
    assert last.gripper_width != last.gripper_width  # NaN: no joint state has been heard of
    assert last.joint_state_gap == float("inf")
    assert not last.ee_pose_valid
    stamps = itertools.count(base + 10**10, 20 * MS)  # one that comes twice would be a frozen camera's

    def send_cut() -> None:
        cut = CompressedImage(format="jpeg", data=b"\xff\xd8\xff")
        bench.send("/c/compressed", stamped(cut, next(stamps)), 5)

    bench.diagnosis(STATUS, "truncated compressed image", send_cut)
    assert process.stop(signal.SIGTERM) == 0


def test_video_file_loops_and_publishes_raw(start_node, bench, tmp_path):
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (320, 256))
    assert writer.isOpened()
    for k in range(8):
        writer.write(picture(100 + k))
    writer.release()
    process = start_node(
        CAMERA_NODE, source="file", file=path, observation_topic="/f/out", image_topic="/f/raw", publish_raw=True
    )
    bench.listen(Observation, "/f/out", BEST_EFFORT)
    bench.listen(Image, "/f/raw", BEST_EFFORT)
    bench.spin_until(lambda: len(bench.received["/f/out"]) > 12 and bench.received["/f/raw"])
    assert bench.received["/f/raw"][0].width == 320
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec / 1e9 for m in bench.received["/f/out"]]
    assert np.all(np.diff(stamps) > 0)
    assert process.stop(signal.SIGINT) == 0
    assert "Traceback" not in process.output


def test_missing_device_warns_and_is_tried_again(start_node, bench):
    process = start_node(CAMERA_NODE, source="device", device="/dev/video99", observation_topic="/d/out")
    bench.diagnosis(STATUS, "camera '/dev/video99' cannot be opened; trying again")
    assert process.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"robot_config": "r2d2"}, "unknown robot 'r2d2'; valid: fr3, panda, ur5e, wx250s"),
        ({"source": "telepathy"}, "source is 'telepathy'; valid: topic, file, device"),
        ({"source": "file", "file": "/nowhere.mp4"}, "valid: the path of a video file"),
        ({"image_height": -1}, "image_height"),
        ({"observation_map": "rt9"}, "unknown observation map 'rt9'; valid: gr00t, lerobot, openpi_bridge"),
        (
            {"observation_map": "rt1", "image_height": 96},
            "image_height is 96; valid with map rt1 is 0: camera front has size [128, 160]",
        ),
        ({"max_rate": "fast"}, "max_rate"),
    ],
)
def test_wrong_parameters_end_with_a_message(start_node, parameters, said):
    process = start_node(CAMERA_NODE, **parameters)
    assert process.process.wait(timeout=60.0) == 2
    assert said in process.output
    assert "Traceback" not in process.output
