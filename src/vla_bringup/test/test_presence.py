# SPDX-License-Identifier: Apache-2.0
"""One graph in a namespace of a ROS domain: the lock, and what of a running graph is found over DDS."""

import os
import re
from pathlib import Path

import pytest
from vla_bringup.commands import ros_arguments
from vla_bringup.description import GraphError
from vla_bringup.graph import GRAPH
from vla_bringup.presence import lock_path, namespace_of, running, take_lock
from vla_bringup.resolution import absolute


@pytest.mark.parametrize(
    ("namespaces", "whole"),
    [
        (("", ""), ""),
        (("", "left"), "/left"),
        (("/cell", "left"), "/cell/left"),
        (("cell/", "left/arm"), "/cell/left/arm"),
        (("/cell", "/left"), "/left"),
        (("/cell", ""), "/cell"),
    ],
)
def test_namespaces_nest_as_in_a_launch_file(namespaces, whole):
    assert absolute(*namespaces) == whole


def test_each_namespace_has_a_lock_of_its_own():
    assert len({lock_path(1, name) for name in ("", "/left", "/left/arm", "/left_arm")} | {lock_path(2, "")}) == 5
    release = take_lock("/left")
    try:
        take_lock("/right")()
        take_lock("")()
        with pytest.raises(GraphError, match=f"namespace /left .process {os.getpid()}.") as caught:
            take_lock("/left")
        assert "ROS_DOMAIN_ID=" in str(caught.value)
    finally:
        release()
    take_lock("/left")()


@pytest.mark.node
def test_nodes_of_another_namespace_are_none_of_this_graph(start_node):
    node = start_node("vla_operator.instruction_node", "-r", "__ns:=/left")
    node.wait_for("listening")
    names = {"/instruction_node", "/left/instruction_node", "/left/camera_node"}
    assert running(names, 40.0) == ("/left/instruction_node",)


def test_every_node_is_put_into_the_namespace():
    share = Path(__file__).parents[1]
    starts = GRAPH.resolve({"namespace": "left", "sim_time": "true", "instruction": "pick"}, share, "/cell")
    assert namespace_of(starts) == "/cell/left"
    for start in starts:
        words = " ".join(ros_arguments(start))
        assert "-r __ns:=/cell/left" in words
        assert "-r /tf:=tf -r /tf_static:=tf_static -r /clock:=clock" in words
    assert not any(re.search("__ns|/tf", " ".join(ros_arguments(start))) for start in GRAPH.resolve({}, share))


@pytest.mark.parametrize("namespace", ["1left", "le ft", "left-arm", "left;", "lёft"])
def test_an_invalid_namespace_is_refused_with_what_is_valid(namespace):
    with pytest.raises(GraphError, match="letters, digits and _"):
        GRAPH.values({"namespace": namespace})


def test_gazebo_is_refused_in_a_namespace():
    with pytest.raises(GraphError, match="namespace:=/left does not go with sim:=gazebo"):
        GRAPH.values({"namespace": "/left", "sim": "gazebo"})
