# SPDX-License-Identifier: Apache-2.0
"""recorder_node over DDS: stamps, numbers and pixels are read back; commands; a kill; a folder without write access."""

import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from builtin_interfaces.msg import Time
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import Trigger
from vla_recorder.bag.reader import open_bag
from vla_recorder.bag.recovery import recover

from vla_msgs.msg import Instruction, RecorderStatus
from vla_msgs.srv import StartRecording

pytestmark = pytest.mark.node
MODULE = "vla_recorder.recorder_node"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
STATUS, CAMERA, JOINTS = "/recorder_node/status", "/camera/image_raw", "/joint_states"


class Recorder:
    """A recorder and what it is told."""

    def __init__(self, start_node, bench, folder: Path, publishers=()) -> None:
        self.bench, self.folder, self.publishers = bench, folder, publishers
        bench.listen(RecorderStatus, STATUS)
        self.process = start_node(MODULE, folder=folder, images="png", min_free_megabytes=0.0)
        bench.spin_until(lambda: bench.received[STATUS])

    def call(self, kind, name: str, request):
        client = self.bench.node.create_client(kind, f"/recorder_node/{name}")
        self.bench.spin_until(client.service_is_ready)
        future = client.call_async(request)
        self.bench.spin_until(future.done)
        self.bench.node.destroy_client(client)
        return future.result()

    def end(self) -> None:
        if self.process.process.poll() is None:
            assert self.process.stop(signal.SIGINT) == 0
        assert "Traceback" not in self.process.output

    def start(self, task: str = ""):
        return self.call(StartRecording, "start", StartRecording.Request(task=task))

    def do(self, name: str):
        return self.call(Trigger, name, Trigger.Request())

    def wait_for(self, condition) -> None:
        self.bench.spin_until(lambda: self.bench.received[STATUS] and condition(self.bench.received[STATUS][-1]))

    def send(self, count: int, first: int = 0) -> tuple[list[Image], list[JointState]]:
        """Publish images and joint states until the recorder has them all."""
        rng = np.random.default_rng(first)
        images, joints = [], []
        before = self.bench.received[STATUS][-1].messages if self.bench.received[STATUS] else 0
        for number in range(first, first + count):
            stamp = Time(sec=1000 + number, nanosec=123456789)
            pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            images.append(Image(height=48, width=64, encoding="rgb8", step=192, data=pixels.tobytes()))
            joints.append(JointState(name=["a", "b"], position=rng.normal(size=2).tolist()))
            for message, publisher in zip((images[-1], joints[-1]), self.publishers, strict=True):
                message.header.stamp = stamp
                publisher.publish(message)
            self.bench.spin(0.03)
        self.wait_for(lambda status: status.messages >= before + 2 * count)
        return images, joints


@pytest.fixture
def recorder(start_node, bench, tmp_path):
    make = bench.node.create_publisher
    instructions = make(Instruction, "/vla/instruction", LATCHED)
    publishers = [make(Image, CAMERA, qos_profile_sensor_data), make(JointState, JOINTS, 50)]
    instructions.publish(Instruction(id="i", text="pick up the red block", sequence=1))
    made = Recorder(start_node, bench, tmp_path / "out", publishers)
    bench.spin_until(lambda: all(item.get_subscription_count() for item in (*publishers, instructions)))
    bench.spin(0.3)
    yield made
    made.end()
    for publisher in (*publishers, instructions):
        bench.node.destroy_publisher(publisher)


def test_an_episode_is_read_back_bit_for_bit(recorder, bench):
    answer = recorder.start()
    assert answer.success, answer.message
    recorder.wait_for(lambda status: status.state == RecorderStatus.STATE_RECORDING)
    images, joints = recorder.send(12)
    assert not recorder.start().success
    assert recorder.do("success").success
    assert not recorder.do("stop").success
    recorder.end()
    bag = open_bag(recorder.folder / "episode_000000")
    assert bag.custom["success"] == "true"
    assert bag.custom["task"] == "pick up the red block"
    assert bag.custom["images"] == "png"
    assert bag.types["/camera/image_raw/compressed"] == "sensor_msgs/msg/CompressedImage"
    found = {
        (m.topic, m.content.header.stamp.sec): m.content
        for m in bag.messages(["/camera/image_raw/compressed", "/joint_states"])
    }
    for image, joint in zip(images, joints, strict=True):
        stored = found["/camera/image_raw/compressed", image.header.stamp.sec]
        assert stored.header.stamp.nanosec == image.header.stamp.nanosec
        pixels = cv2.imdecode(np.frombuffer(bytes(stored.data), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        assert pixels.tobytes() == bytes(image.data)
        assert list(found["/joint_states", joint.header.stamp.sec].position) == list(joint.position)
    said = [m.content.text for m in bag.messages(["/vla/instruction"])]  # given before the recorder began
    assert said == ["pick up the red block"]


def test_the_last_seconds_are_saved_and_discarded_episodes_go(recorder, bench):
    recorder.wait_for(lambda status: status.topics >= 3)
    for _ in range(20):  # best effort: the first may come before the connection
        recorder.publishers[1].publish(JointState(name=["z"], position=[1.5]))
        bench.spin(0.05)
    recorder.wait_for(lambda status: status.last_seconds > 0.5)
    answer = recorder.do("save_last")
    assert answer.success, answer.message
    bag = open_bag(recorder.folder / "last_000000")
    assert 1.5 in [p for m in bag.messages(["/joint_states"]) for p in m.content.position]
    assert recorder.start("again").success
    assert recorder.do("record_again").success
    assert recorder.do("discard").success
    assert [path.name for path in recorder.folder.iterdir()] == ["last_000000"]


def test_a_folder_that_cannot_be_written_refuses_the_episode_and_the_node_stays(start_node, bench, tmp_path):
    (tmp_path / "file").write_text("")
    recorder = Recorder(start_node, bench, tmp_path / "file" / "out")
    answer = recorder.start("x")
    assert not answer.success
    assert "cannot be written" in answer.message
    assert recorder.process.process.poll() is None
    recorder.end()


def test_an_unknown_map_ends_in_one_line_and_status_2(start_node):
    node = start_node(MODULE, observation_map="nowhere")
    assert node.process.wait(timeout=40) == 2
    assert "unknown observation map 'nowhere'" in node.output.strip().splitlines()[-1]


def test_a_killed_recorder_loses_at_most_the_last_moment(recorder):  # last: DDS remembers its services for a while
    assert recorder.start("wipe").success
    recorder.wait_for(lambda status: status.state == RecorderStatus.STATE_RECORDING)
    recorder.send(5)
    flushed = recorder.bench.received[STATUS][-1].messages
    time.sleep(1.0)
    recorder.process.kill()
    folder = recorder.folder / "episode_000000"
    assert not (folder / "metadata.yaml").exists()
    assert recover(folder).messages >= flushed
    assert open_bag(folder).custom["task"] == "wipe"
