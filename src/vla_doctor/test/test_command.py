# SPDX-License-Identifier: Apache-2.0
"""`vla doctor` from the shell, beside a graph that is there and one that is not."""

import json
import subprocess
import sys

import pytest
from vla_doctor.command import main
from vla_doctor.verdict import Level


def doctor(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "vla_doctor.command", "--json", *arguments], stdout=subprocess.PIPE, text=True
    )


def read(process: subprocess.Popen) -> dict[str, dict]:
    output, _ = process.communicate(timeout=60)
    return {verdict["subject"]: verdict for verdict in json.loads(output)}


def test_the_machine_alone_needs_no_ros(capsys: pytest.CaptureFixture) -> None:
    assert main(["--no-graph", "--json"]) == 0
    verdicts = json.loads(capsys.readouterr().out)
    assert {"load", "disk", "GPU", "versions"} <= {verdict["subject"] for verdict in verdicts}
    assert {verdict["level"] for verdict in verdicts} <= {level.value for level in Level}


def test_an_unknown_robot_is_refused_with_the_valid_ones(capsys: pytest.CaptureFixture) -> None:
    assert main(["--robot", "robby", "--no-graph"]) == 2
    said = capsys.readouterr().err
    assert "robby" in said
    assert "fr3" in said


def test_the_table_names_what_is_wrong(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["--no-graph", "--ip", "127.0.0.1"]) == 1
    said = capsys.readouterr().out
    for words in ("robot at 127.0.0.1", "FCI", "1 error"):
        assert words in said


@pytest.mark.node
def test_without_a_graph_the_missing_topics_are_errors() -> None:
    pytest.importorskip("rclpy")
    process = doctor("--duration", "1")
    found = read(process)
    assert process.returncode == 1
    assert found["/camera/image_raw"]["level"] == found["joint_states"]["level"] == "error"
    assert found["/fr3_arm_controller/joint_trajectory"]["level"] == "error"


@pytest.mark.node
def test_two_nodes_that_publish_joint_states_are_found() -> None:
    rclpy = pytest.importorskip("rclpy")
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    from sensor_msgs.msg import JointState
    from vla_core.robot import load_robot_config

    robot = load_robot_config("fr3")
    context = Context()
    rclpy.init(context=context)
    nodes = [rclpy.create_node(name, context=context) for name in ("driver", "fake")]
    publishers = [node.create_publisher(JointState, "joint_states", 10) for node in nodes]

    def publish() -> None:
        message = JointState(name=list(robot.joints), position=[float(angle) for angle in robot.home])
        message.header.stamp = nodes[0].get_clock().now().to_msg()
        publishers[0].publish(message)

    nodes[0].create_timer(0.02, publish)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(nodes[0])
    process = doctor("--duration", "3")
    while process.poll() is None:
        executor.spin_once(timeout_sec=0.1)
    found = read(process)
    for node in nodes:
        node.destroy_node()
    context.shutdown()
    assert found["posture"]["level"] == "ok"
    assert found["joint_states"]["level"] == "error"
    assert "/driver, /fake" in found["joint_states"]["found"]
