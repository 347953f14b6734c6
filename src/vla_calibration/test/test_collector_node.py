# SPDX-License-Identifier: Apache-2.0
"""Samples from topics: a picture is kept once intrinsics and joint states came and the arm stands."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

import rclpy
from builtin_interfaces.msg import Time
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, JointState
from vla_calibration.collecting import STILL_FOR, Collector
from vla_calibration.folder import Writer, read_folder
from vla_calibration.ros.collector import CameraListener
from vla_calibration.solve import Mount

sys.path.insert(0, str(Path(__file__).parent))
from calibration_scene import BOARD, HEIGHT, WIDTH, Bench

pytestmark = pytest.mark.node


@pytest.fixture
def context() -> Iterator[Context]:
    made = Context()
    rclpy.init(args=[], context=made)
    yield made
    made.try_shutdown()


def test_a_picture_of_the_running_graph_becomes_a_sample(context: Context, tmp_path: Path) -> None:
    bench = Bench(Mount.FIXED)
    collector = Collector(bench.config, BOARD, Writer(tmp_path / "views", BOARD))
    node = rclpy.create_node("calibrate", namespace="left", context=context)
    listener = CameraListener(node, collector, "camera")
    driver = rclpy.create_node("driver", namespace="left", context=context)
    images = driver.create_publisher(Image, "camera/image_raw", qos_profile_sensor_data)
    infos = driver.create_publisher(CameraInfo, "camera/camera_info", qos_profile_sensor_data)
    joints = driver.create_publisher(JointState, "joint_states", 10)
    picture = bench.picture(bench.config.home)
    image = Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=3 * WIDTH, data=picture.tobytes())
    info = CameraInfo(height=HEIGHT, width=WIDTH, k=bench.camera.matrix.ravel().tolist())
    state = JointState(name=list(bench.config.joints), position=bench.config.home.tolist())
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    said: set[str] = set()
    deadline, stamp = time.monotonic() + 60.0, 100.0
    while collector.count == 0:
        assert time.monotonic() < deadline, said
        stamp += 0.4 * STILL_FOR
        for message in (state, image):
            message.header.stamp = Time(sec=int(stamp), nanosec=int(1e9 * (stamp % 1.0)))
        images.publish(image)
        if listener.pictures:  # the first picture comes before the intrinsics
            infos.publish(info)
            joints.publish(state)
        executor.spin_once(timeout_sec=0.05)
        said.add(listener.words)
    assert any("waiting for /left/camera/camera_info" in words for words in said)
    samples, refused, _, _ = read_folder(tmp_path / "views", bench.config)
    assert (len(samples), refused) == (1, [])
    executor.shutdown()
