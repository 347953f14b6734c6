# SPDX-License-Identifier: Apache-2.0
"""The policy node with a remote policy, over real DDS, against a small server of openpi's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.node
messages = pytest.importorskip("vla_msgs.msg")

STATUS = messages.PolicyStatus
TOOL_X = 0.5  # [m] of the harness's robot: the number that the server answers with
MAP = {
    "format": "vla_observation_map/1",
    "cameras": [{"name": "front", "key": "observation/image", "size": [8, 10]}],
    "state": [{"key": "observation/state", "parts": [{"part": "tool_position"}]}],
    "prompt": "prompt",
    "action": {"mode": "ee_delta", "parts": [{"part": "translation"}, {"part": "ignored", "size": 1}]},
    "period_s": 0.2,
}


@pytest.fixture(scope="module")
def server(policy_servers: ModuleType) -> Iterator[Any]:
    with policy_servers.running("openpi") as running:
        yield running


@pytest.fixture(scope="module")
def remote_node(harness: ModuleType, server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("map") / "test.yaml"
    path.write_text(yaml.safe_dump(MAP))
    told = ("policy:=remote", f"server:={server.url}", f"observation_map:={path}", "robot:=fr3")
    with harness.around(*told, "policy_options:='reply_timeout=0.5'") as robot:
        yield robot


@pytest.fixture
def robot(remote_node: Any, server: Any) -> Any:
    server.fault = ""
    remote_node.calm()
    return remote_node


def test_the_servers_actions_come_as_chunks_and_the_status_says_that_no_tokens_constrain_them(
    robot: Any, server: Any
) -> None:
    task = robot.tell("pick up the block")
    robot.reaches(STATUS.STATE_RUNNING, task)
    assert robot.spin(30.0, lambda: len(robot.chunks) >= 3)
    chunk = robot.chunks[-1]
    assert (chunk.instruction_id, len(chunk.steps), chunk.period) == (task, 3, 0.2)
    assert chunk.steps[0].translation.x == pytest.approx(TOOL_X)
    assert server.received["prompt"] == "pick up the block"
    status = robot.statuses[-1]
    assert (status.policy, status.checkpoint) == ("remote", f"{server.url} (remote, not token-constrained)")
    assert robot.spin(30.0, lambda: len(robot.diagnostics) > 0)
    values = {item.key: item.value for item in robot.diagnostics[-1].status[0].values}
    assert "not token-constrained" in values["checkpoint"]


@pytest.mark.parametrize("fault", ["killed", "silent", "nan", "garbage", "error"])
def test_a_fault_holds_the_arm_says_why_and_passes(robot: Any, server: Any, fault: str) -> None:
    task = robot.tell("pick up the block")
    robot.reaches(STATUS.STATE_RUNNING, task)
    server.fault = fault
    status = robot.reaches(STATUS.STATE_WAITING, task)
    assert status.reason.startswith("no actions: ")
    robot.spin(0.3)
    robot.chunks.clear()
    robot.spin(1.0)
    assert not robot.chunks
    server.fault = ""
    robot.reaches(STATUS.STATE_RUNNING, task)
    assert robot.spin(30.0, lambda: len(robot.chunks) > 0)


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (("server:=ftp://host", "observation_map:=openpi_bridge"), "valid are ws://HOST:8000"),
        (("observation_map:=openpi_bridge",), "policy remote needs a server"),
        (("server:=ws://127.0.0.1:9",), "policy remote needs a map"),
        (("server:=ws://127.0.0.1:9", "observation_map:=nothing"), "openpi_droid"),
        (("server:=tcp://127.0.0.1:9?codec=xml", "observation_map:=gr00t"), "valid are auto, npy, numpy"),
        (("server:=ws://h", "policy_options:='speed=1'"), "no option 'speed'; valid are server, token_file"),
    ],
)
def test_what_cannot_be_used_ends_the_node_with_one_clear_line(
    harness: ModuleType, parameters: tuple[str, ...], line: str
) -> None:
    process = harness.start("policy:=remote", "robot:=fr3", *parameters)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert line in output
    assert "Traceback" not in output


def test_a_map_that_the_server_does_not_speak_ends_the_node_with_the_servers_keys(
    harness: ModuleType, policy_servers: ModuleType
) -> None:
    with policy_servers.running("gr00t") as server:
        told = (f"server:={server.url}", "observation_map:=openpi_bridge")
        process = harness.start("policy:=remote", "robot:=fr3", *told)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert "the server's keys are front, joints, task" in output
