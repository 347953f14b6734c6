# SPDX-License-Identifier: Apache-2.0
"""The policy server over real sockets: sessions, what it refuses, and how connections end."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from PIL import Image
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.presets import load_map
from vla_core.robot import load_robot_config
from vla_policy.remote.codecs import openpi
from vla_policy.serve.testing import SIZE, CountingPolicy, LonelyPolicy, ask, client, inputs, serving_policy, without
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


@pytest.fixture(scope="module")
def rt1_map() -> ObservationMap:
    return load_map("rt1").for_robot(load_robot_config("fr3"))


@pytest.fixture
def port(rt1_map: ObservationMap) -> Iterator[int]:
    with serving_policy(CountingPolicy(), rt1_map) as found:
        yield found


def test_metadata_says_what_is_served(port: int) -> None:
    with connect(f"ws://localhost:{port}", proxy=None) as connection:
        greeting = connection.recv(20)
    assert isinstance(greeting, bytes)
    about = openpi.unpack(greeting)["vla"]
    assert (about["version"], about["policy"], about["robot"]) == (1, "counting", "fr3")
    assert about["map"]["cameras"][0]["key"] == "observation/image"


def test_a_session_counts_its_own_and_an_instruction_begins_anew(port: int) -> None:
    with client(port) as one, client(port) as other:
        first, second = ask(one, inputs()), ask(one, inputs())
        assert first["actions"].shape == (1, 11)
        np.testing.assert_allclose([first["actions"][0, 0], second["actions"][0, 0]], [0.01, 0.02], atol=1e-7)
        assert ask(other, inputs())["tokens"].tolist() == [[1, 7]]
        reply = ask(one, inputs("push the blue block to the left"))
        assert reply["tokens"].tolist() == [[1, 7]]
        assert (reply["plan"], reply["dimension_names"]) == ("push the blue block to the left", ["x", "gripper"])
        assert ask(one, inputs("push the blue block to the left"))["tokens"][0, 0] == 2
        assert ask(one, inputs("push the blue block to the left", changes={"vla/reset": True}))["tokens"][0, 0] == 1


def test_an_image_may_be_a_jpeg(port: int) -> None:
    file = io.BytesIO()
    Image.fromarray(np.full((*SIZE, 3), 200, np.uint8)).save(file, "JPEG")
    with client(port) as connection:
        assert ask(connection, inputs(changes={"observation/image": file.getvalue()}))["tokens"][0, 0] == 1
        broken = ask(connection, inputs(changes={"observation/image": file.getvalue()[:200]}))
        assert "no JPEG that can be read" in broken
        large = io.BytesIO()
        Image.new("RGB", (9000, 9000)).save(large, "JPEG")
        refused = ask(connection, inputs(changes={"observation/image": large.getvalue()}))
        assert "JPEG of 9000 x 9000; valid is 128 x 160" in refused


BAD: dict[str, tuple[Any, str]] = {
    "no msgpack": (b"\xc1\xc1", "msgpack"),
    "a text": ("hello", "binary message"),
    "no map": (openpi.pack([1, 2]), "valid is a map"),
    "a key of bytes": (openpi.pack({b"prompt": "x"}), "valid are texts"),
    "no image": (without("observation/image"), "missing observation/image"),
    "no prompt": (without("prompt"), "missing prompt"),
    "another size": (inputs(changes={"observation/image": np.zeros((64, 64, 3), np.uint8)}), "128 x 160"),
    "floats as image": (inputs(changes={"observation/image": np.zeros((*SIZE, 3), np.float32)}), "uint8"),
    "NaN": (inputs(changes={"observation/state": np.full(8, np.nan, np.float32)}), "finite"),
    "another state": (inputs(changes={"observation/state": np.zeros(3, np.float32)}), r"\(8,\)"),
    "a number as prompt": (inputs(changes={"prompt": np.float32(1)}), "text"),
    "a stamp that is none": (inputs(changes={"vla/stamp": float("nan")}), "vla/stamp"),
    "a task that cannot be": (inputs("fly"), "InstructionError: 'fly' cannot be served"),
    "a picture that it refuses": (inputs(value=12), "ObservationError: the picture is all 12"),
    "a picture that breaks it": (inputs(value=13), "InferenceError: policy counting failed: RuntimeError: boom"),
    "an object array": (b"\x81\xa6prompt\x83\xc4\x0b__ndarray__\xc3\xc4\x04data\xc4\x00\xc4\x05dtype\xa1O", "type"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_gets_a_text_and_the_session_goes_on(port: int, kind: str) -> None:
    message, text = BAD[kind]
    with client(port) as bad, client(port) as good:
        assert ask(good, inputs())["tokens"][0, 0] == 1
        answer = ask(bad, message)
        assert isinstance(answer, str)
        assert re.search(text, answer), answer
        assert ask(bad, inputs())["tokens"][0, 0] == 1
        assert ask(good, inputs())["tokens"][0, 0] == 2


def test_a_message_that_is_too_large_closes_that_connection_alone(rt1_map: ObservationMap) -> None:
    with serving_policy(CountingPolicy(), rt1_map, max_message_mib=0.1) as port, client(port) as good:
        with client(port) as bad:
            with pytest.raises(ConnectionClosed) as closed:
                ask(bad, bytes(200_000))
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        assert ask(good, inputs())["tokens"][0, 0] == 1


def test_a_policy_of_one_robot_serves_one_robot(rt1_map: ObservationMap) -> None:
    with serving_policy(LonelyPolicy(), rt1_map) as port:
        with client(port) as only:
            assert ask(only, inputs())["tokens"][0, 0] == 1
            with pytest.raises(InvalidStatus), client(port):
                pass
        with client(port) as following:
            assert ask(following, inputs())["tokens"][0, 0] == 1


def test_a_client_that_leaves_in_the_middle_hurts_nobody(port: int) -> None:
    with client(port) as good:
        for _ in range(5):
            with client(port) as hasty:
                hasty.send(openpi.pack(inputs()))
                hasty.socket.close()
        assert ask(good, inputs())["tokens"][0, 0] == 1


def test_clients_are_told_when_the_server_ends(rt1_map: ObservationMap) -> None:
    policy = CountingPolicy()
    with serving_policy(policy, rt1_map) as port:
        stack = ExitStack()
        connection = stack.enter_context(client(port))
    with stack, pytest.raises(ConnectionClosed) as closed:
        connection.recv(20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert policy.closed
