# SPDX-License-Identifier: Apache-2.0
"""Verdicts on graphs that are as they should be, and on each fault that stops an arm."""

import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from vla_core.robot import load_robot_config
from vla_doctor.checks.environment import check_address, check_environment
from vla_doctor.checks.graph import check_commands, check_graph, check_nodes
from vla_doctor.checks.limits import check_limits, check_posture, urdf_limits
from vla_doctor.checks.machine import check_disk, check_governors, check_load, check_realtime_rights
from vla_doctor.checks.seen import Seen, Stream
from vla_doctor.checks.streams import CAMERA, check_stream
from vla_doctor.verdict import Level

FR3 = load_robot_config("fr3")
TOPIC = "/fr3_arm_controller/joint_trajectory"


def stream(rate: float = 50.0, age: float = 0.01, seconds: float = 3.0, **changes: tuple[str, ...]) -> Stream:
    stamps = np.arange(0.0, seconds, 1.0 / rate) + 100.0
    return replace(Stream(tuple(stamps), tuple(stamps + age), ("/driver",)), **changes)


def urdf(wider: float = 0.0, names: tuple[str, ...] = FR3.joints) -> str:
    limits = zip(names, FR3.limits.lower, FR3.limits.upper, FR3.limits.velocity, strict=True)
    joints = "".join(
        f'<joint name="{name}" type="revolute">'
        f'<limit lower="{lower - wider}" upper="{upper + wider}" velocity="{velocity + wider}"/></joint>'
        for name, lower, upper, velocity in limits
    )
    return f"<robot name='arm'>{joints}</robot>"


SOUND = Seen(
    duration_s=3.0,
    nodes=("/controller_node", "/driver"),
    cameras={"/camera/image_raw": stream(30.0)},
    joint_states=stream(100.0, 0.002),
    joint_position=dict(zip(FR3.joints, FR3.home, strict=True)),
    command_topic=TOPIC,
    command_publishers=("/controller_node",),
    command_subscribers=("/driver",),
    description=urdf(),
)


def test_a_sound_graph_has_no_complaint() -> None:
    verdicts = list(check_graph(SOUND, FR3))
    assert {verdict.level for verdict in verdicts} == {Level.OK}
    assert all(verdict.found and not verdict.remedy for verdict in verdicts)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"nodes": ("/a", "/b", "/a")}, "/a"),
        ({"cameras": {"/camera/image_raw": Stream()}}, "nobody publishes"),
        ({"cameras": {"/camera/image_raw": Stream(publishers=("/camera",))}}, "/camera"),
        ({"cameras": {"/camera/image_raw": stream(2.0)}}, "2.0 Hz"),
        ({"joint_states": stream(5.0)}, "5.0 Hz"),
        ({"joint_states": stream(100.0, -0.02)}, "clock is ahead"),
        ({"joint_states": stream(100.0, 3600.0)}, "median 3600000 ms"),
        ({"joint_states": stream(100.0, publishers=("/driver", "/fake"))}, "/fake"),
        ({"joint_position": dict.fromkeys(FR3.joints[:6], 0.0)}, "fr3_joint7"),
        ({"joint_position": dict.fromkeys(FR3.joints, 0.0)}, "fr3_joint4 0.000"),
        ({"description": urdf(-0.1)}, "fr3_joint1"),
        ({"description": urdf(names=tuple(f"panda_joint{i}" for i in range(7)))}, "panda_joint0"),
        ({"description": "<robot"}, "no XML"),
        ({"command_subscribers": ()}, "nobody takes"),
        ({"command_publishers": ("/controller_node", "/joystick")}, "/joystick"),
    ],
)
def test_each_fault_is_an_error_that_names_it(change: dict, word: str) -> None:
    errors = [verdict for verdict in check_graph(replace(SOUND, **change), FR3) if verdict.level is Level.ERROR]
    assert any(word in verdict.found for verdict in errors), errors
    assert all(verdict.remedy for verdict in errors)


@pytest.mark.parametrize(
    "change",
    [
        {"description": ""},
        {"nodes": ()},
        {"command_subscribers": ("/driver", "/recorder")},
        {"cameras": {"/camera/image_raw": stream(30.0, 0.2)}},
    ],
)
def test_drawbacks_are_warnings(change: dict) -> None:
    levels = [verdict.level for verdict in check_graph(replace(SOUND, **change), FR3)]
    assert Level.WARN in levels
    assert Level.ERROR not in levels


def test_a_pause_in_a_stream_is_a_warning() -> None:
    sound = stream(30.0)
    kept = [i for i in range(len(sound.stamps)) if not 30 <= i < 45]
    paused = Stream(tuple(sound.stamps[i] for i in kept), tuple(sound.arrivals[i] for i in kept), sound.publishers)
    rate, age = check_stream("/camera", paused, CAMERA, 3.0)
    assert (rate.level, age.level) == (Level.WARN, Level.OK)
    assert "longest gap 533 ms" in rate.found


def test_without_a_controller_the_commands_are_not_judged() -> None:
    assert check_commands(replace(SOUND, command_publishers=())).level is Level.SKIPPED
    assert check_nodes(SOUND.nodes).level is Level.OK


def test_limits_of_every_kind_of_joint() -> None:
    text = """<robot name="r"><joint name="a" type="continuous"><limit velocity="2"/></joint>
    <joint name="b" type="prismatic"><limit lower="-1" upper="2" velocity="3"/></joint>
    <joint name="c" type="fixed"/><joint name="d" type="revolute"/></robot>"""
    infinite = float("inf")
    assert urdf_limits(text) == {
        "a": (-infinite, infinite, 2.0),
        "b": (-1.0, 2.0, 3.0),
        "d": (-infinite, infinite, infinite),
    }
    with pytest.raises(ValueError, match="could not convert"):
        urdf_limits('<robot name="r"><joint name="b" type="prismatic"><limit lower="x"/></joint></robot>')


def test_a_robot_file_may_be_narrower_than_the_robot() -> None:
    assert check_limits(urdf(0.1), FR3).level is Level.OK
    assert check_posture(SOUND.joint_position, FR3).level is Level.OK


def test_machine(tmp_path: Path) -> None:
    assert [check_load(load, 2).level for load in (1.0, 3.0)] == [Level.OK, Level.WARN]
    assert [check_realtime_rights(limit).level for limit in (0, 99, -1)] == [Level.WARN, Level.OK, Level.OK]
    assert [check_disk(tmp_path, free).level for free in (1.0, 50.0)] == [Level.WARN, Level.OK]
    assert check_governors(tmp_path).level is Level.SKIPPED
    for core, governor in enumerate(("performance", "powersave")):
        folder = tmp_path / f"cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{governor}\n")
        assert check_governors(tmp_path).level is (Level.OK if core == 0 else Level.WARN)


def test_discovery_that_finds_no_other_machine_is_a_warning() -> None:
    def level(**variables: str) -> Level:
        return [verdict.level for verdict in check_environment(variables, 0)][-1]

    assert level(ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST") is Level.WARN
    assert level(ROS_LOCALHOST_ONLY="1") is Level.WARN
    assert level(ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST", ROS_STATIC_PEERS="10.0.0.2") is Level.OK
    assert level() is Level.OK


def test_an_address_answers_or_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert check_address("127.0.0.1", port).level is not Level.ERROR
    refused = check_address("127.0.0.1", port)
    assert refused.level is Level.ERROR
    assert "FCI" in refused.remedy
