# SPDX-License-Identifier: Apache-2.0
"""The command `vla serve-test`: what it prints about a server, and its refusals."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest
from vla_core.observation_map.presets import load_map
from vla_policy.remote.check.command import main

DROID = tuple(camera.key for camera in load_map("openpi_droid").cameras)


@pytest.fixture
def droid(policy_servers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server with the keys and the width of openpi's DROID configuration."""

    def answer(state: Any, connection: Any) -> None:
        assert {*DROID, "observation/joint_position", "observation/gripper_position"} < set(state.received)
        chunk = policy_servers.np.full((10, state.width), 0.5, policy_servers.np.float32)
        connection.send(policy_servers.msgpack_numpy.packb({"actions": chunk}))

    monkeypatch.setattr(policy_servers, "answer_openpi", answer)
    with policy_servers.running("openpi") as server:
        server.metadata = {"reset_pose": [0.0, 1.0], "model": {"name": "pi0"}}
        server.width = 8
        yield server


def test_it_prints_metadata_shapes_ranges_and_latency(droid: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([droid.url, "--map", "openpi_droid", "--count", "5"]) == 0
    printed = capsys.readouterr().out
    for words in (
        "reset_pose: [0.0, 1.0]",
        "model.name: 'pi0'",
        "actions: joint_velocity, 8 steps of 0.066667 s",
        "joints [rad/s]: 1.500",
        "gripper",
        "latency: first",
        "p99",
        "(5 observations)",
        "remote, not token-constrained",
    ):
        assert words in printed


def test_without_a_map_only_the_connection_is_checked(droid: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([droid.url]) == 0
    assert "no observation was sent" in capsys.readouterr().out
    assert droid.received is None


def test_what_cannot_be_is_refused_with_the_reason(
    droid: Any, policy_servers: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    droid.width = 7
    dead = f"ws://127.0.0.1:{policy_servers.free_port()}"
    for words, status, arguments in (
        ("valid are ws://", 2, ["ftp://host"]),
        ("valid: .* rt1", 2, [droid.url, "--map", "nothing"]),
        ("count is 0", 2, [droid.url, "--count", "0"]),
        ("connect_timeout is 0.0; valid", 2, [droid.url, "--connect-timeout", "0"]),
        ("token_file /nowhere", 2, [droid.url, "--token-file", "/nowhere"]),
        (dead, 1, [dead]),
        (r"\(10, 7\); valid for map openpi_droid is \(steps, 8\)", 1, [droid.url, "--map", "openpi_droid"]),
    ):
        assert main(arguments) == status
        message = capsys.readouterr().err
        assert re.search(words, message), message
        assert message.count("\n") == 1
