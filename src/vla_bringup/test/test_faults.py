# SPDX-License-Identifier: Apache-2.0
"""faults:=true: fault_node stands on the arrows; without it nothing of it is there."""

from pathlib import Path

import pytest
from vla_bringup.graph import GRAPH
from vla_core.robot import load_robot_config
from vla_faults.arrows import arrows

SHARE = Path(__file__).parents[1]
GRAPHS = [
    {"faults": "true"},
    {"faults": "true", "policy": "expert", "sim_time": "true", "namespace": "left"},
    {"faults": "true", "robot": "wx250s", "policy": "expert"},
    {"faults": "true", "driver": "franka-sim", "robot_ip": "127.0.0.2"},
]


def nodes(given):
    return {start.name: start for start in GRAPH.resolve(given, SHARE)}


def test_it_is_off_unless_asked():
    for name, start in nodes({}).items():
        assert name != "fault_node"
        assert not start.remappings


@pytest.mark.parametrize("given", GRAPHS, ids=lambda given: "-".join(given.values()))
def test_every_arrow_of_fault_node_is_read_through_it_and_no_other(given):
    found, robot = nodes(given), load_robot_config(given.get("robot", "fr3"))
    known = arrows(robot.arm_command_topic, robot.gripper_command_topic, given.get("sim_time") == "true")
    wanted = {arrow.topic: arrow.detour for arrow in known.values()}
    taken = [(topic, name) for start in found.values() for topic, name in start.remappings if "faults/" in name]
    assert dict(taken) == wanted
    assert not [pair for pair in found["fault_node"].remappings if "faults/" in pair[1]]


def test_each_arrow_has_its_readers():
    found = nodes({"faults": "true"})
    readers = {
        topic: {name for name, start in found.items() if topic in dict(start.remappings)}
        for start in found.values()
        for topic, _ in start.remappings
    }
    assert readers == {
        "camera/image_raw": {"camera_node"},
        "joint_states": {"camera_node", "controller_node"},
        "vla/ee_pose": {"camera_node"},
        "vla/observation": {"policy_node"},
        "vla/action_chunk": {"controller_node"},
        "vla/instruction": {"policy_node", "controller_node"},
        "vla/operator_heartbeat": {"controller_node"},
        "vla/text_command": {"instruction_node"},
        "fr3_arm_controller/joint_trajectory": {"simulator_node"},
        "gripper_controller/joint_trajectory": {"simulator_node"},
    }


def test_within_a_namespace_the_clock_of_the_detour_comes_first():
    pairs = nodes(GRAPHS[1])["controller_node"].remappings
    assert pairs.index(("/clock", "faults/clock")) < pairs.index(("/clock", "clock"))
