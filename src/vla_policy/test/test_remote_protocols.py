# SPDX-License-Identifier: Apache-2.0
"""Each protocol's client against a small server of that format: what arrives, what comes back, and every fault."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from vla_policy.errors import ConfigurationError, ReplyError, ServerRefusedError, UnavailableError
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.protocols import make_server
from vla_policy.remote.server import RemoteServer

PROTOCOLS = ("openpi", "act", "gr00t", "lerobot")
PATIENCE_S = 20.0
REPLY_S = 0.4  # [s] shorter than a late reply takes
FAULTS = ("killed", "silent", "late", "slow", "garbage", "shape", "nan", "huge", "error")


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def served(policy_servers: ModuleType, protocol: str) -> Iterator[Any]:
    with policy_servers.running(protocol) as server:
        yield server


@pytest.fixture
def client(served: Any) -> Iterator[RemoteServer]:
    client = make_server(served.url, Credentials())
    yield client
    client.close()


def number(client: RemoteServer, inputs: dict[str, Any], timeout_s: float = PATIENCE_S) -> float:
    """The number of the observation that a reply is for."""
    actions = client.infer(inputs, timeout_s).actions
    array = actions if isinstance(actions, np.ndarray) else next(iter(actions.values()))
    assert array.shape == (3, 4)
    assert array.dtype == np.float32
    assert len(np.unique(array)) == 1
    return float(array[0, 0])


def test_an_observation_arrives_and_its_actions_come_back(
    policy_servers: ModuleType, protocol: str, served: Any, client: RemoteServer
) -> None:
    client.connect(PATIENCE_S)
    client.reset(PATIENCE_S)
    for value in (1.0, 2.0, 3.0):
        assert number(client, policy_servers.inputs(protocol, value)) == value
    image, state, text = policy_servers.KEYS[protocol]
    if protocol == "gr00t":
        assert np.array_equal(served.received["video"][image], policy_servers.IMAGE[None, None])
        assert served.received["state"][state].shape == (1, 1, 2)
        assert served.received["language"] == {text: [["pick up the block"]]}
    elif protocol == "lerobot":
        assert np.array_equal(served.received["front"], policy_servers.IMAGE)
        assert (served.received["state_0"], served.received["state_1"]) == (3.0, 0.5)
        assert served.received["task"] == "pick up the block"
        features = served.metadata["lerobot_features"]
        assert features["observation.state"] == {"dtype": "float32", "shape": (2,), "names": ["state_0", "state_1"]}
        assert features["observation.images.front"]["shape"] == (4, 4, 3)
        assert (served.metadata["policy_type"], served.metadata["pretrained_name_or_path"]) == ("act", "somewhere")
    elif protocol == "openpi":
        assert np.array_equal(served.received[image], policy_servers.IMAGE)
        assert set(served.received) == {image, state, text}
    else:
        assert served.received[text] == "pick up the block"
        assert served.received[image]["shape"] == [4, 4, 3]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_error_in_time_and_the_next_reply_is_for_the_next_observation(
    policy_servers: ModuleType, protocol: str, served: Any, client: RemoteServer, fault: str
) -> None:
    client.connect(PATIENCE_S)
    assert number(client, policy_servers.inputs(protocol, 1.0)) == 1.0
    served.fault = fault
    started = time.monotonic()
    limit = REPLY_S if fault in ("silent", "late", "slow") or (protocol, fault) == ("gr00t", "huge") else PATIENCE_S
    limit = REPLY_S if (protocol, fault) == ("gr00t", "killed") else limit
    with pytest.raises(UnavailableError) as caught:
        client.infer(policy_servers.inputs(protocol, 2.0), limit)
    assert time.monotonic() - started < (3.0 if limit == REPLY_S else PATIENCE_S)
    assert "\n" not in str(caught.value)
    assert "Traceback" not in str(caught.value)
    if fault in ("garbage", "shape", "nan", "error"):
        assert isinstance(caught.value, ReplyError)
    if fault == "error" and protocol in ("openpi", "gr00t"):
        assert "KeyError: 'wrist'" in str(caught.value)
    with pytest.raises(UnavailableError, match="not connected"):
        client.infer(policy_servers.inputs(protocol, 3.0), PATIENCE_S)
    served.fault = ""
    client.connect(PATIENCE_S)
    for value in (4.0, 5.0):
        assert number(client, policy_servers.inputs(protocol, value)) == value


def test_nobody_there_is_an_error_in_time(policy_servers: ModuleType, protocol: str) -> None:
    scheme = {"openpi": "ws", "act": "http", "gr00t": "tcp", "lerobot": "grpc"}[protocol]
    query = "?policy_type=act&path=x" if protocol == "lerobot" else ""
    client = make_server(f"{scheme}://127.0.0.1:{policy_servers.free_port()}{query}", Credentials())
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1"):
        client.connect(1.0)
    assert time.monotonic() - started < 5.0
    client.close()


def test_a_token_is_sent_and_a_wrong_one_is_refused(policy_servers: ModuleType, protocol: str, served: Any) -> None:
    served.token = "right"

    def ask(token: str) -> float:
        client = make_server(served.url, Credentials(token=token))
        try:
            client.connect(PATIENCE_S)
            return number(client, policy_servers.inputs(protocol, 1.0))
        finally:
            client.close()

    for token in ("wrong", ""):
        with pytest.raises(ServerRefusedError, match="refuses the token"):
            ask(token)
    assert ask("right") == 1.0


@pytest.mark.parametrize("codec", ["npy", "numpy"])
@pytest.mark.parametrize("setting", ["", "?codec=npy", "?codec=numpy"])
def test_gr00t_finds_the_servers_array_format(policy_servers: ModuleType, codec: str, setting: str) -> None:
    with policy_servers.running("gr00t", codec=codec) as server:
        client = make_server(server.url + setting, Credentials())
        assert client.connect(PATIENCE_S)["action"]["modality_keys"] == ["joints"]
        assert client.known_keys() == {"front", "joints", "task"}
        if setting in ("", f"?codec={codec}"):
            assert number(client, policy_servers.inputs("gr00t", 7.0)) == 7.0
        else:
            with pytest.raises(ReplyError):
                client.infer(policy_servers.inputs("gr00t", 7.0), PATIENCE_S)
        client.close()


def test_openvla_takes_the_json_within_json(policy_servers: ModuleType) -> None:
    with policy_servers.running("act") as server:
        client = make_server(f"{server.url}?form=encoded", Credentials())
        client.connect(PATIENCE_S)
        assert number(client, policy_servers.inputs("act", 2.0)) == 2.0
        client.close()


def test_an_observation_of_another_client_is_refused_by_lerobots_protocol(policy_servers: ModuleType) -> None:
    with policy_servers.running("lerobot") as server:
        first, second = (make_server(server.url, Credentials()) for _ in range(2))
        first.connect(PATIENCE_S)
        for value in (1.0, 2.0):
            assert number(first, policy_servers.inputs("lerobot", value)) == value
        second.connect(PATIENCE_S)
        assert number(second, policy_servers.inputs("lerobot", 3.0)) == 3.0
        server.actions = lambda value: np.full((3, 4), value, np.float32)
        answer = policy_servers.answer_lerobot

        def others(state: Any, seen: Any, context: Any) -> bytes:
            seen.timestep += 5
            return answer(state, seen, context)

        policy_servers.answer_lerobot = others
        try:
            with pytest.raises(ReplyError, match="another client"):
                first.infer(policy_servers.inputs("lerobot", 4.0), PATIENCE_S)
        finally:
            policy_servers.answer_lerobot = answer
        first.close()
        second.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host", r"valid are ws://HOST:8000.*tcp://HOST:5555, grpc://HOST:8080"),
        ("host:8000", "valid are ws"),
        ("ws://", "valid are ws"),
        ("", "valid are ws"),
        ("ws://host:99999", "Port out of range"),
        ("ws://user:secret@host", "token_file"),
        ("ws://host?codec=npy", "no setting 'codec'; valid are none"),
        ("tcp://host?codec=xml", "codec is 'xml'; valid are auto, npy, numpy"),
        ("tcp://host?speed=1", "no setting 'speed'; valid are codec"),
        ("http://host/act?form=xml", "form is 'xml'; valid are plain, encoded"),
        ("grpc://host", "needs policy_type"),
        ("grpc://host?policy_type=act", "needs path"),
        ("grpc://host?policy_type=act&path=x&actions_per_chunk=0", "actions_per_chunk is '0'"),
        ("grpc://host?policy_type=act&path=x&hub=1", "no setting 'hub'; valid are policy_type, path"),
    ],
)
def test_an_address_that_cannot_be_is_refused_with_the_valid_ones(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        make_server(url, Credentials())
    assert "secret" not in str(caught.value)
