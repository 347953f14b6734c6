# SPDX-License-Identifier: Apache-2.0
"""Listens to a camera and the joint states, and keeps what the calibration needs. It sends nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, JointState
from vla_core.robot import RobotConfig
from vla_core.ros.start import start_ros
from vla_core.ros.time import seconds_from_msg
from vla_perception.ros.image_conversion import ImageConverter

from vla_calibration.board import Board
from vla_calibration.collecting import Collector
from vla_calibration.errors import CalibrationError
from vla_calibration.folder import Writer
from vla_calibration.intrinsics import Intrinsics

SILENCE = 15.0  # [s] without a first picture after which the topics are named
SAID = 3.0  # [s] between the same words


class CameraListener:
    """Feeds a Collector from topics."""

    def __init__(self, node: Node, collector: Collector, camera: str) -> None:
        """Subscribe to `camera`/image_raw, `camera`/camera_info and joint_states."""
        self._collector, self._converter = collector, ImageConverter()
        self._intrinsics: Intrinsics | None = None
        self.pictures, self.words = 0, ""
        self.topics = tuple(node.resolve_topic_name(f"{camera}/{name}") for name in ("image_raw", "camera_info"))
        node.create_subscription(Image, self.topics[0], self._on_image, qos_profile_sensor_data)
        node.create_subscription(CameraInfo, self.topics[1], self._on_info, qos_profile_sensor_data)
        node.create_subscription(JointState, "joint_states", self._on_joints, qos_profile_sensor_data)

    def _on_info(self, message: CameraInfo) -> None:
        distortion = np.array(message.d if len(message.d) else [0.0] * 5)
        self._intrinsics = Intrinsics(message.width, message.height, np.array(message.k).reshape(3, 3), distortion)

    def _on_joints(self, message: JointState) -> None:
        positions = dict(zip(message.name, message.position, strict=False))
        self._collector.joints(seconds_from_msg(message.header.stamp), positions)

    def _on_image(self, message: Image) -> None:
        self.pictures += 1
        if self._intrinsics is None:
            self.words = f"waiting for {self.topics[1]}: the camera's driver has to publish its calibration"
            return
        rgb = self._converter.raw_to_rgb(message)
        self.words = self._collector.picture(seconds_from_msg(message.header.stamp), rgb, self._intrinsics)


def collect(config: RobotConfig, board: Board, folder: Path, camera: str, count: int, namespace: str) -> None:
    """Collect until there are `count` samples, or a person presses Ctrl-C; prints what to do next.

    Raises:
        CalibrationError: no picture comes, or the folder holds samples already.
    """
    collector = Collector(config, board, Writer(folder, board))
    start_ros([])
    executor, listener = None, None
    try:
        node = rclpy.create_node(f"vla_calibrate_{os.getpid()}", namespace=namespace)
        listener = CameraListener(node, collector, camera)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        _spin(executor, collector, listener, count)
    except (KeyboardInterrupt, ExternalShutdownException):
        words = listener.words if listener is not None else ""
        print(f"ended with {collector.count} pictures in {folder}")
        if not collector.count:
            raise CalibrationError(f"no picture was taken; at last: {words or 'nothing came'}") from None
    finally:
        if executor is not None:
            executor.shutdown()
        rclpy.try_shutdown()


def _spin(executor: SingleThreadedExecutor, collector: Collector, listener: CameraListener, count: int) -> None:
    said, at, began = "", 0.0, time.monotonic()
    while collector.count < count:
        executor.spin_once(timeout_sec=0.2)
        now = time.monotonic()
        if not listener.pictures and now - began > SILENCE:
            raise CalibrationError(f"no picture came on {listener.topics[0]} in {SILENCE:g} s: is the camera running?")
        if listener.words and (listener.words != said or now - at > SAID):
            said, at = listener.words, now
            print(f"{collector.count}/{count}: {said}", flush=True)
