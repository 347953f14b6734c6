# SPDX-License-Identifier: Apache-2.0
"""A chunk in a frame of /tf_static moves the arm along that frame's axes; one in an unknown frame is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_core.robot import load_robot_config
from vla_core.rotation import Pose

pytestmark = pytest.mark.node
CONFIG = load_robot_config("fr3")
QUARTER = np.array([0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)])  # of a turn about z


def test_chunks_in_other_frames(arm, start: Callable) -> None:
    from geometry_msgs.msg import TransformStamped
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from tf2_msgs.msg import TFMessage
    from vla_core.ros.action import chunk_to_msg

    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    static = arm.node.create_publisher(TFMessage, "/tf_static", latched)
    message = TransformStamped(child_frame_id=CONFIG.base_frame)  # the base stands in the table's frame, turned
    message.header.frame_id = "table"
    message.transform.translation.x = 1.0
    q = message.transform.rotation
    q.x, q.y, q.z, q.w = QUARTER.tolist()
    static.publish(TFMessage(transforms=[message]))
    start()
    arm.wait_for_state(1)
    arm.instruct("a")

    step = ActionStep(translation=np.array([0.05, 0.0, 0.0]))
    chunk = ActionChunk(
        0.0,
        ActionMode.EE_DELTA,
        DeltaReference.COMMANDED,
        0.2,
        (step,),
        (),
        "table",
        "a",
        1,
        Pose(np.zeros(3), QUARTER),
    )
    stamp = arm.node.get_clock().now().to_msg()
    arm._chunks.publish(chunk_to_msg(replace(chunk, frame_id="nowhere"), stamp))
    arm.wait(lambda: any(r.name == "wrong_frame" and "nowhere" in r.reason for r in arm.statuses[-1].refusals))
    before = arm.statuses[-1].ee_setpoint.position
    stamp = arm.node.get_clock().now().to_msg()
    arm._chunks.publish(chunk_to_msg(chunk, stamp))
    arm.wait(lambda: arm.statuses[-1].chunks_accepted == 1)
    arm.wait_for_state(1)
    after = arm.statuses[-1].ee_setpoint.position
    moved = (after.x - before.x, after.y - before.y, after.z - before.z)
    assert moved == pytest.approx((0.0, -0.05, 0.0), abs=1e-3)
    assert arm.statuses[-1].chunk_stamp == stamp  # to the nanosecond, so that topics join
