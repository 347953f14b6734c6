# SPDX-License-Identifier: Apache-2.0
"""Who may use the policy server: tokens, certificates, places; and openpi's own client."""

from __future__ import annotations

import shutil
import ssl
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.presets import load_map
from vla_core.robot import load_robot_config
from vla_core.settings import SettingsError
from vla_policy.errors import ConfigurationError
from vla_policy.serve.access import Tokens, tls_context
from vla_policy.serve.settings import ServeSettings
from vla_policy.serve.testing import CountingPolicy, ask, client, inputs, make_certificates, serving_policy, without
from websockets.exceptions import InvalidStatus, WebSocketException


@pytest.fixture(scope="module")
def rt1_map() -> ObservationMap:
    return load_map("rt1").for_robot(load_robot_config("fr3"))


def test_health_tokens_and_places(rt1_map: ObservationMap, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("first\nsecond\n")
    with serving_policy(CountingPolicy(), rt1_map, token_file=str(tokens), max_clients=2) as port:
        with urllib.request.urlopen(f"http://localhost:{port}/healthz", timeout=20) as answer:
            assert (answer.status, answer.read()) == (200, b"OK\n")
        for headers in ({}, {"Authorization": "Api-Key third"}, {"Authorization": "Bearer first"}):
            with pytest.raises(InvalidStatus) as refused, client(port, additional_headers=headers):
                pass
            assert refused.value.response.status_code == 401
            assert b"Api-Key TOKEN" in refused.value.response.body
        with (
            client(port, additional_headers={"Authorization": "Api-Key first"}),
            client(port, additional_headers={"Authorization": "Api-Key second"}),
            pytest.raises(InvalidStatus) as full,
            client(port, additional_headers={"Authorization": "Api-Key first"}),
        ):
            pass
        assert full.value.response.status_code == 503
        with client(port, additional_headers={"Authorization": "Api-Key first"}) as again:
            assert ask(again, inputs())["tokens"][0, 0] == 1


def test_only_whole_tokens_of_the_scheme_pass(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("one\n\n two \n")
    tokens = Tokens.read(str(path))
    assert [tokens.admit(f"Api-Key {word}") for word in ("one", "two", "on", "one two", "", "öne")] == [True] * 2 + [
        False
    ] * 4
    assert not tokens.admit(None)
    assert not tokens.admit("Basic one")
    assert Tokens().admit(None)
    path.write_text("\n")
    for wrong in (str(path), str(tmp_path / "none")):
        with pytest.raises(ConfigurationError, match="one token a line"):
            Tokens.read(wrong)


def context(folder: Path, own: str = "", authority: str = "ca") -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(folder / f"{authority}.pem"))
    if own:
        made.load_cert_chain(folder / f"{own}.pem", folder / f"{own}.key")
    return made


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl to make certificates")
def test_mutual_tls_admits_certificates_of_its_authority_alone(rt1_map: ObservationMap, tmp_path: Path) -> None:
    make_certificates(tmp_path)
    files = {"tls_cert": "server.pem", "tls_key": "server.key", "client_ca": "ca.pem"}
    with serving_policy(
        CountingPolicy(), rt1_map, **{name: str(tmp_path / file) for name, file in files.items()}
    ) as port:
        with client(port, "wss", ssl=context(tmp_path, "client")) as trusted:
            assert ask(trusted, inputs())["tokens"][0, 0] == 1
        for wrong in (context(tmp_path), context(tmp_path, "stranger"), context(tmp_path, "client", "stranger")):
            with pytest.raises((OSError, WebSocketException)), client(port, "wss", ssl=wrong):
                pass
        with pytest.raises((OSError, WebSocketException)), client(port):
            pass


def test_options_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    for options in ({"tls_cert": "a"}, {"client_ca": "a"}, {"port": 70000}, {"max_batch": 0}):
        with pytest.raises(SettingsError, match="valid"):
            ServeSettings(**options)
    with pytest.raises(ConfigurationError, match="PEM"):
        tls_context(ServeSettings(tls_cert=str(tmp_path / "none"), tls_key=str(tmp_path / "none")))


@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
def test_openpi_own_client_drives_it(rt1_map: ObservationMap, tmp_path: Path) -> None:
    from openpi_client.websocket_client_policy import WebsocketClientPolicy

    tokens = tmp_path / "tokens"
    tokens.write_text("secret")
    with serving_policy(CountingPolicy(), rt1_map, token_file=str(tokens)) as port:
        theirs = WebsocketClientPolicy("localhost", port, api_key="secret")
        assert theirs.get_server_metadata()["vla"]["policy"] == "counting"
        for count in (1, 2, 3):
            np.testing.assert_allclose(theirs.infer(inputs())["actions"][0, 0], 0.01 * count, atol=1e-7)
        with pytest.raises(RuntimeError, match="missing observation/image"):
            theirs.infer(without("observation/image"))
