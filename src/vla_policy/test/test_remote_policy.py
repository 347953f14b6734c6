# SPDX-License-Identifier: Apache-2.0
"""The remote policy: chunks for the observation that was sent, errors that say what is wrong, and recovery."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from vla_core.action import ActionMode
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.presets import load_map
from vla_core.observation_map.reading import from_dict, to_dict
from vla_core.robot import load_robot_config
from vla_policy.errors import (
    ActionRefusedError,
    ConfigurationError,
    ObservationError,
    ReplyError,
    ServerRefusedError,
    UnavailableError,
)
from vla_policy.policy import Observation, PolicyConfig
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.history import ImageHistory
from vla_policy.remote.options import Options
from vla_policy.remote.policy import RemotePolicy, create
from vla_policy.remote.protocols import make_server

ROBOT = load_robot_config("fr3")
PATIENCE_S = 20.0
FAULTS = ("killed", "silent", "late", "slow", "garbage", "shape", "nan", "huge", "error")


def map_of(protocol: str, policy_servers: ModuleType, **changes: Any) -> ObservationMap:
    """A map whose state begins with the first joint, and whose action is a translation and a base velocity."""
    image, state, text = policy_servers.KEYS[protocol]
    action = {
        "mode": "ee_delta",
        "key": "joints" if protocol == "gr00t" else "actions",
        "parts": [{"part": "translation"}, {"part": "ignored", "size": 1}],
    }
    content = {
        "format": "vla_observation_map/1",
        "cameras": [{"name": "front", "key": image, "size": [4, 4]}],
        "state": [{"key": state, "parts": [{"part": "joints", "names": ["fr3_joint1", "fr3_joint2"]}]}],
        "prompt": text,
        "action": action,
        "period_s": 0.1,
        **changes,
    }
    return from_dict(content, "test").for_robot(ROBOT)


def options(server: Any, **changes: Any) -> Options:
    times = {"connect_timeout": PATIENCE_S, "first_reply_timeout": PATIENCE_S, "reply_timeout": PATIENCE_S}
    return Options(server.url, **{**times, **changes})


def policy_for(server: Any, observation_map: ObservationMap, **changes: Any) -> RemotePolicy:
    policy = RemotePolicy(make_server(server.url, Credentials()), observation_map, options(server, **changes))
    policy.reset("pick up the block")
    return policy


def seen(number: float, stamp: float = 0.0, size: int = 4) -> Observation:
    """The observation of a number below 10."""
    positions = np.zeros(7)
    positions[0] = number / 10.0
    image = np.zeros((size, size, 3), np.uint8)
    return Observation(
        stamp, {"front": image}, ROBOT.joints, positions, np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), 0.04
    )


def answer(policy: RemotePolicy, number: float, stamp: float = 0.0) -> float:
    """The number of the observation that the chunk was made for."""
    chunk = policy.infer(seen(number, stamp))
    assert chunk.stamp == stamp
    assert (chunk.mode, chunk.period, len(chunk.steps)) == (ActionMode.EE_DELTA, 0.1, 3)
    return round(10.0 * float(chunk.steps[0].translation[0]), 3)


@pytest.fixture(params=["openpi", "act", "gr00t", "lerobot"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def served(policy_servers: ModuleType, protocol: str) -> Iterator[Any]:
    with policy_servers.running(protocol) as server:
        yield server


@pytest.fixture
def openpi(policy_servers: ModuleType) -> Iterator[Any]:
    with policy_servers.running("openpi") as server:
        yield server


def test_chunks_are_for_the_observation_that_was_sent_and_tell_that_no_tokens_constrain_them(
    policy_servers: ModuleType, protocol: str, served: Any
) -> None:
    policy = policy_for(served, map_of(protocol, policy_servers))
    for number in (1.0, 2.0):
        assert answer(policy, number, stamp=number) == number
    assert "remote, not token-constrained" in policy.checkpoint
    assert policy.checkpoint.startswith(served.url.partition("?")[0])
    policy.close()


def test_a_sweep_of_faults_gives_errors_in_time_no_stale_action_and_a_recovery_each(
    policy_servers: ModuleType, protocol: str, served: Any
) -> None:
    policy = policy_for(served, map_of(protocol, policy_servers), reply_timeout=0.4)
    chosen = random.Random(7)
    faults = [*FAULTS, *(chosen.choice(FAULTS) for _ in range(3))]
    chosen.shuffle(faults)
    for count, fault in enumerate(faults):
        number = 1.0 + count % 5
        wait_for_answer(policy, number)
        served.fault = fault
        started = time.monotonic()
        with pytest.raises(UnavailableError):
            policy.infer(seen(number + 1.0))
        assert time.monotonic() - started < 5.0
        served.fault = ""
    wait_for_answer(policy, 9.0)
    policy.close()


def wait_for_answer(policy: RemotePolicy, number: float) -> None:
    """Ask until the server answers again; an answer to anything else fails."""
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit:
        try:
            assert answer(policy, number) == number
        except UnavailableError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("the server was not found again")


def test_attempts_to_connect_wait_longer_each_time(policy_servers: ModuleType) -> None:
    dead = policy_servers.Server(f"ws://127.0.0.1:{policy_servers.free_port()}")
    policy = policy_for(dead, map_of("openpi", policy_servers))
    attempts, waits = 0, []
    limit = time.monotonic() + 1.5
    while time.monotonic() < limit:
        try:
            policy.infer(seen(1.0))
        except UnavailableError as error:
            if "next attempt in" in str(error):
                waits.append(float(str(error).rsplit(" ", 2)[-2]))
            else:
                attempts += 1
        time.sleep(0.01)
    assert 2 <= attempts <= 4  # at 0, 0.25, 0.75 s, unless the machine is slow
    assert max(waits) > 0.5


def test_a_server_that_comes_later_or_goes_and_comes_back_is_found(policy_servers: ModuleType) -> None:
    port = policy_servers.free_port()
    policy = policy_for(policy_servers.Server(f"ws://127.0.0.1:{port}"), map_of("openpi", policy_servers))
    for number in (1.0, 2.0):
        with pytest.raises(UnavailableError):
            policy.infer(seen(number))
        with policy_servers.running("openpi", port=port):
            wait_for_answer(policy, number)
    policy.close()


def test_create_waits_for_a_server_and_refuses_what_cannot_be(policy_servers: ModuleType, tmp_path: Any) -> None:
    url = f"ws://127.0.0.1:{policy_servers.free_port()}"
    bridge = load_map("openpi_bridge").for_robot(ROBOT)
    policy = create(PolicyConfig(observation_map=bridge, options={"server": url}))
    with pytest.raises(UnavailableError, match="next attempt"):
        policy.infer(seen(1.0, size=224))
    policy.close()
    empty = tmp_path / "token"
    empty.write_text("")
    for given, words in (
        ({}, "needs a server"),
        ({"server": "ftp://x"}, "valid are ws://"),
        ({"server": url, "token_file": str(empty)}, "token_file .* is empty"),
        ({"server": url, "token_file": "/nowhere"}, "token_file /nowhere cannot be read"),
        ({"server": url, "reply_timeout": 0.0}, "reply_timeout is 0.0; valid: a number .* from 0.01 to 600"),
        ({"server": url.replace("ws", "wss"), "ca_file": "/nowhere"}, "TLS files /nowhere"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            create(PolicyConfig(observation_map=bridge, options=given))
    with pytest.raises(ConfigurationError, match="needs a map"):
        create(PolicyConfig(options={"server": url}))


def test_another_width_or_missing_arrays_name_the_map_and_what_is_valid(
    policy_servers: ModuleType, openpi: Any
) -> None:
    wide = map_of("openpi", policy_servers)
    assert wide.action is not None
    narrow = replace(wide, action=replace(wide.action, parts=wide.action.parts[:1]))
    policy = policy_for(openpi, narrow)
    with pytest.raises(ReplyError, match=r"do not go with map test: actions are \(3, 4\); valid .* \(steps, 3\)"):
        policy.infer(seen(1.0))
    policy.close()
    with policy_servers.running("gr00t") as server:
        other = map_of("gr00t", policy_servers)
        assert other.action is not None
        policy = policy_for(server, replace(other, action=replace(other.action, key="hand")))
        with pytest.raises(ReplyError, match="missing hand; received joints"):
            policy.infer(seen(1.0))
        policy.close()


def test_an_observation_without_what_the_map_names_is_the_observations_error(
    policy_servers: ModuleType, openpi: Any
) -> None:
    policy = policy_for(openpi, map_of("openpi", policy_servers))
    with pytest.raises(ObservationError, match="valid is 4 x 4"):
        policy.infer(seen(1.0, size=8))
    assert answer(policy, 1.0) == 1.0
    assert openpi.connections == 1  # it was no fault of the server's
    policy.close()


def test_a_map_with_other_keys_than_the_servers_is_refused_with_the_servers(policy_servers: ModuleType) -> None:
    with policy_servers.running("gr00t") as server:
        policy = policy_for(server, map_of("openpi", policy_servers))
        with pytest.raises(ServerRefusedError, match=r"map test lacks front, joints.*keys are front, joints, task"):
            policy.connect()
        policy.close()


def test_a_server_of_this_repository_is_compared_told_of_episodes_and_stamps_and_its_tokens_come_through(
    policy_servers: ModuleType, openpi: Any
) -> None:
    observation_map = map_of("openpi", policy_servers)
    about = {"version": 1, "policy": "rt1", "robot": "fr3", "map": to_dict(observation_map)}
    openpi.metadata = {"vla": about}
    policy = policy_for(openpi, observation_map)
    policy.infer(seen(1.0, stamp=12.5))
    assert (openpi.received["vla/reset"], openpi.received["vla/stamp"]) == (True, 12.5)
    policy.infer(seen(2.0, stamp=12.7))
    assert "vla/reset" not in openpi.received
    policy.reset("the same again")
    policy.infer(seen(3.0, stamp=12.9))
    assert openpi.received["vla/reset"] is True
    assert policy.remark == "remote rt1, not token-constrained"
    policy.close()
    other = map_of("openpi", policy_servers, cameras=[{"name": "front", "key": "picture", "size": [4, 4]}])
    policy = policy_for(openpi, other)
    with pytest.raises(ServerRefusedError, match=r"map test is not the server's: keys .*picture"):
        policy.connect()
    policy.close()


@pytest.mark.parametrize("kept", [True, False])
def test_errors_of_a_server_of_this_repository_are_raised_as_what_they_are(
    policy_servers: ModuleType, openpi: Any, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    observation_map = map_of("openpi", policy_servers)
    openpi.metadata = {"vla": {"version": 1}} if kept else {}
    policy = policy_for(openpi, observation_map)
    assert answer(policy, 1.0) == 1.0
    monkeypatch.setattr(
        policy_servers, "answer_openpi", lambda state, connection: connection.send("ActionRefusedError: legal mass 0.1")
    )
    with pytest.raises(ActionRefusedError if kept else ReplyError, match=r"legal mass 0\.1"):
        policy.infer(seen(2.0))
    monkeypatch.undo()
    wait_for_answer(policy, 3.0)
    assert openpi.connections == (1 if kept else 2)
    policy.close()


def test_tokens_of_a_reply_go_into_the_chunk_or_are_refused(
    policy_servers: ModuleType, openpi: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    extras: dict[str, Any] = {
        "tokens": np.arange(6, dtype=np.uint16).reshape(3, 2),
        "token_probabilities": np.full((3, 2), 0.5, np.float32),
        "dimension_names": ["x", "y"],
        "plan": "pick",
    }

    def with_extras(state: Any, connection: Any) -> None:
        packed = policy_servers.msgpack_numpy.packb({"actions": state.actions(1.0), **extras})
        connection.send(packed)

    monkeypatch.setattr(policy_servers, "answer_openpi", with_extras)
    policy = policy_for(openpi, map_of("openpi", policy_servers))
    chunk = policy.infer(seen(1.0))
    assert np.array_equal(chunk.tokens, extras["tokens"])
    assert np.array_equal(chunk.token_probabilities, extras["token_probabilities"])
    assert (chunk.dimension_names, chunk.plan) == (("x", "y"), "pick")
    assert policy.remark == "remote, token-constrained"
    for wrong in ({"tokens": np.zeros((3, 5), np.uint16)}, {"dimension_names": "xy"}, {"token_probabilities": [1.0]}):
        extras.update(wrong)
        with pytest.raises(ReplyError, match="valid is"):
            policy.infer(seen(1.0))
        time.sleep(0.3)  # until the next attempt
        extras.update({"tokens": np.zeros((3, 2), np.uint16), "dimension_names": ["x", "y"]})
        extras.pop("token_probabilities", None)
    policy.close()


def test_the_history_holds_the_nearest_images_and_the_oldest_where_none_reaches_back() -> None:
    history = ImageHistory((-1.0, 0.0))
    for count in range(12):
        stamp = 0.2 * count
        images = history.add(stamp, {"front": np.full((2, 2, 3), count, np.uint8)})["front"]
        assert images.shape == (2, 2, 2, 3)
        assert [int(image[0, 0, 0]) for image in images] == [max(count - 5, 0), count]
    images = history.add(0.5, {"front": np.full((2, 2, 3), 99, np.uint8)})["front"]  # the clock went back
    assert {int(image[0, 0, 0]) for image in images} == {99}


def test_close_does_not_wait_for_a_reply_and_touches_no_socket_in_use(
    policy_servers: ModuleType, protocol: str, served: Any
) -> None:
    policy = policy_for(served, map_of(protocol, policy_servers), reply_timeout=3.0)
    assert answer(policy, 1.0) == 1.0
    served.fault = "silent"
    failed: list[Exception] = []

    def ask() -> None:
        try:
            policy.infer(seen(2.0))
        except UnavailableError as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.1)
    policy.close()
    thread.join(PATIENCE_S)
    assert len(failed) == 1
    policy.close()


def test_the_first_reply_may_take_long_and_those_after_a_reconnection_are_soon_noticed(
    policy_servers: ModuleType, openpi: Any
) -> None:
    times = {"first_reply_timeout": PATIENCE_S, "reply_timeout": 0.3}
    policy = policy_for(openpi, map_of("openpi", policy_servers), **times)
    openpi.fault = "late"  # by more than reply_timeout
    assert answer(policy, 1.0) == 1.0
    openpi.fault = "silent"
    limit, failed = time.monotonic() + 2.5, 0
    while time.monotonic() < limit:
        try:
            policy.infer(seen(2.0))
        except UnavailableError as error:
            failed += "did not come within" in str(error) and "next attempt" not in str(error)
        time.sleep(0.02)
    assert failed >= 2
    openpi.fault = ""
    wait_for_answer(policy, 3.0)
    policy.close()
