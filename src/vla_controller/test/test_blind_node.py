# SPDX-License-Identifier: Apache-2.0
"""Camera, policy and controller as processes: the arm rests while images are broken, and continues after."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.node
HEIGHT, WIDTH = 128, 160  # [pixels]


class Camera:
    """Publishes pictures at 20 Hz that are good, or broken in a named way."""

    def __init__(self, arm: Any) -> None:
        from sensor_msgs.msg import Image

        self.broken = ""
        self._node, self._random = arm.node, np.random.default_rng(0)
        self._picture = bytes(3 * HEIGHT * WIDTH)
        self._publisher = arm.node.create_publisher(Image, "/camera/image_raw", 5)
        arm.node.create_timer(0.05, self._send)

    def _send(self) -> None:
        from sensor_msgs.msg import Image

        if self.broken != "frozen":
            self._picture = self._random.bytes(3 * HEIGHT * WIDTH)
        data = self._picture[:999] if self.broken == "truncated" else self._picture
        msg = Image(height=HEIGHT, width=WIDTH, step=3 * WIDTH, encoding="rgb8", data=data)
        msg.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(msg)


def to_and_fro(path: Path) -> Path:
    """A recording for policy `replay`: 2 cm a chunk to the left for 2 s, back again, and so on for minutes."""
    lines: list[dict[str, Any]] = [{"format": "vla_recording/1", "policy": "test"}, {"instruction": None}]
    none = {"tokens": None, "token_probabilities": None, "dimension_names": [], "joint_names": []}
    for way, _ in itertools.product((0.02, -0.02) * 60, range(10)):
        step = {"translation": [0.0, way, 0.0], "rotation_vector": [0.0] * 3, "gripper": None, "base": [0.0] * 3}
        steps = [{**step, "terminate": False, "joints": None, "pose": None}]
        chunk = {"observation_stamp": 0.0, "mode": "ee_delta", "delta_reference": "observed", "period_s": 0.2}
        lines.append({**chunk, "steps": steps, **none})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def age(chunk: Any) -> float:
    """Time [s] since the observation of a chunk."""
    return time.time() - chunk.header.stamp.sec - 1e-9 * chunk.header.stamp.nanosec


def test_the_arm_rests_while_images_are_broken(arm, start: Callable, tmp_path: Path) -> None:
    camera = Camera(arm)
    nodes = [
        start(),
        start("robot_config:=fr3", module="vla_perception.camera_node"),
        start("policy:=replay", f"checkpoint:={to_and_fro(tmp_path / 'run.jsonl')}", module="vla_policy.policy_node"),
    ]
    arm.wait_for_state(1)
    arm.instruct("wave", listeners=2)  # controller and policy: nobody gets what was published before he listened
    for kind in ("truncated", "frozen"):
        camera.broken = ""
        arm.wait(lambda: arm.speed() > 0.03)
        camera.broken = kind
        arm.wait(lambda: age(arm.chunks[-1]) > 1.2 and arm.speed() == 0.0 and arm.statuses[-1].state == 1, 15.0)
        chunks, commands = len(arm.chunks), len(arm.commands)
        time.sleep(0.6)
        assert len(arm.chunks) == chunks, kind
        assert len(arm.commands) > commands + 5
        assert len({tuple(command.points[-1].positions) for command in arm.commands[commands:]}) == 1
    camera.broken = ""
    arm.wait(lambda: arm.speed() > 0.03)
    assert all(node.process.poll() is None for node in nodes)
    arm.assert_within_limits(20.0)
