# SPDX-License-Identifier: Apache-2.0
"""robot_state_publisher over DDS: the description and the fixed frames are latched, moving frames follow the joints."""

import json
import math
import signal

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("tf2_msgs")

from builtin_interfaces.msg import Time
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

pytestmark = pytest.mark.node
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
MODULE = "vla_description.robot_state_publisher"
TEXT = """<robot name="r"><link name="base"/><link name="arm"/><link name="camera"/>
  <joint name="turn" type="revolute"><parent link="base"/><child link="arm"/><axis xyz="0 0 1"/></joint>
  <joint name="mount" type="fixed"><parent link="base"/><child link="camera"/><origin xyz="0 0 1"/></joint>
</robot>"""


@pytest.fixture
def robot(start_node, bench):
    node = start_node(MODULE, robot_description=json.dumps(TEXT), frame_prefix="left/")
    node.wait_for("frames of 2 joints")
    for kind, topic, qos in (
        (TFMessage, "/tf", 100),
        (TFMessage, "/tf_static", LATCHED),
        (String, "/robot_description", LATCHED),
    ):
        bench.listen(kind, topic, qos)
    yield bench
    assert node.stop(signal.SIGINT) == 0
    assert "Traceback" not in node.output


def joints(stamp: float, position: float) -> JointState:
    message = JointState(name=["turn", "elsewhere"], position=[position, 0.3])
    message.header.stamp = Time(sec=int(stamp), nanosec=round((stamp - int(stamp)) * 1e9))
    return message


def test_frames_and_description_reach_those_who_come_later(robot):
    robot.spin_until(lambda: robot.received["/tf_static"] and robot.received["/robot_description"])
    (fixed,) = robot.received["/tf_static"][-1].transforms
    assert (fixed.header.frame_id, fixed.child_frame_id) == ("left/base", "left/camera")
    assert fixed.transform.translation.z == 1.0
    assert robot.received["/robot_description"][-1].data == TEXT
    for number in range(20):  # 100 Hz for 0.2 s: at most 20 Hz are published
        robot.send("/joint_states", joints(5.0 + 0.01 * number, 0.5))
    robot.send("/joint_states", joints(6.0, math.nan))
    robot.send("/joint_states", joints(7.0, 1.0))
    robot.spin_until(lambda: any(m.transforms[0].header.stamp.sec == 7 for m in robot.received["/tf"]))
    stamps = [message.transforms[0].header.stamp for message in robot.received["/tf"]]
    assert sum(stamp.sec == 5 for stamp in stamps) <= 5
    assert not any(stamp.sec == 6 for stamp in stamps)  # no frame from a position that is not a number
    turn = robot.received["/tf"][-1].transforms[0]
    assert (turn.header.frame_id, turn.child_frame_id) == ("left/base", "left/arm")
    assert turn.transform.rotation.z == pytest.approx(math.sin(0.5))
    robot.send("/joint_states", joints(1.0, 0.2))  # the clock stepped back: a simulator began again
    robot.spin_until(lambda: robot.received["/tf"][-1].transforms[0].header.stamp.sec == 1)


@pytest.mark.parametrize(("text", "words"), [("", "not XML"), ("<robot/>", "0 links"), ("<a/>", "<a>")])
def test_an_unusable_description_ends_in_one_line_and_status_2(start_node, text, words):
    node = start_node(MODULE, robot_description=json.dumps(text))
    assert node.process.wait(timeout=40) == 2
    assert words in node.output.strip().splitlines()[-1]
    assert "Traceback" not in node.output
