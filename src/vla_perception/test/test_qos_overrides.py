# SPDX-License-Identifier: Apache-2.0
"""Quality of service by parameters: what is set arrives, elsewhere nothing changes, and nonsense is refused."""

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from rclpy.qos import ReliabilityPolicy

pytestmark = pytest.mark.node
MODULE = "vla_perception.camera_node"
OVERRIDE = "qos_overrides./left/camera/image_raw.subscription"


def reliability(endpoints) -> list[ReliabilityPolicy]:
    return [info.qos_profile.reliability for info in endpoints]


def test_an_override_holds_for_its_topic_alone(start_node, bench):
    node = start_node(
        MODULE, "-r", "__ns:=/left", "-p", f"{OVERRIDE}.reliability:=reliable", "-p", f"{OVERRIDE}.depth:=3"
    )
    node.wait_for("waiting for images")
    topics = bench.node
    bench.spin_until(lambda: topics.get_subscriptions_info_by_topic("/left/camera/image_raw"))
    assert reliability(topics.get_subscriptions_info_by_topic("/left/camera/image_raw")) == [ReliabilityPolicy.RELIABLE]
    bench.spin_until(lambda: topics.get_publishers_info_by_topic("/left/vla/observation"))
    assert reliability(topics.get_publishers_info_by_topic("/left/vla/observation")) == [ReliabilityPolicy.BEST_EFFORT]
    bench.spin_until(lambda: topics.get_subscriptions_info_by_topic("/left/joint_states"))
    assert reliability(topics.get_subscriptions_info_by_topic("/left/joint_states")) == [ReliabilityPolicy.BEST_EFFORT]
    node.kill()


@pytest.mark.parametrize("override", ["reliability:=sometimes", "depth:=deep", "reliability:=1"])
def test_an_invalid_override_is_refused_in_one_line(override, start_node):
    node = start_node(MODULE, "-r", "__ns:=/left", "-p", f"{OVERRIDE}.{override}")
    assert node.process.wait(timeout=60) == 2
    assert "QoS override of camera/image_raw" in node.output
    assert "valid: reliability reliable or best_effort" in node.output
    assert "Traceback" not in node.output
