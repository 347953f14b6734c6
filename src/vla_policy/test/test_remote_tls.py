# SPDX-License-Identifier: Apache-2.0
"""The clients of policy servers over TLS: both sides show a certificate, and a wrong one is refused with the reason."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from vla_policy.errors import ConfigurationError, ServerRefusedError, UnavailableError
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.protocols import make_server
from vla_policy.remote.server import RemoteServer, Reply
from vla_policy.serve.testing import make_certificates

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs the program openssl to make certificates"
)
SECURE = {"ws": "wss", "http": "https", "grpc": "grpcs"}
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


def pipe(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def behind_tls(url: str, folder: Path, mutual: bool) -> Iterator[str]:
    """Yield an encrypted address that leads to the server at `url`, as a proxy in front of a policy server does."""
    plain = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.set_alpn_protocols(["h2", "http/1.1"] if plain.scheme == "grpc" else ["http/1.1"])
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "ca.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                incoming, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError):
                inner = context.wrap_socket(incoming, server_side=True)
                outer = socket.create_connection((plain.hostname, plain.port))
                for ends in ((inner, outer), (outer, inner)):
                    threading.Thread(target=pipe, args=ends, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield url.replace(f"{plain.scheme}://", f"{SECURE[plain.scheme]}://").replace(
        plain.netloc, f"localhost:{listener.getsockname()[1]}"
    )
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(PATIENCE_S)


def credentials(folder: Path, authority: str = "ca", own: str = "", token: str = "") -> Credentials:
    files = {"certificate_file": str(folder / f"{own}.pem"), "key_file": str(folder / f"{own}.key")} if own else {}
    return Credentials(token, ca_file=str(folder / f"{authority}.pem"), **files)


def use(server: RemoteServer, inputs: dict[str, Any]) -> Reply:
    server.connect(PATIENCE_S)
    return server.infer(inputs, PATIENCE_S)


@pytest.mark.parametrize("protocol", ["openpi", "act", "lerobot"])
def test_both_sides_show_a_certificate(policy_servers: ModuleType, certificates: Path, protocol: str) -> None:
    with (
        policy_servers.running(protocol) as server,
        behind_tls(server.url, certificates, mutual=True) as address,
    ):
        with closing(make_server(address, credentials(certificates, own="client"))) as client:
            reply = use(client, policy_servers.inputs(protocol, 3.0))
            assert np.ravel(reply.actions)[0] == pytest.approx(3.0)
        with (
            closing(make_server(address, credentials(certificates))) as nobody,
            pytest.raises((ServerRefusedError, UnavailableError)),
        ):
            use(nobody, policy_servers.inputs(protocol, 3.0))


@pytest.mark.parametrize("protocol", ["openpi", "act", "lerobot"])
def test_a_server_of_another_authority_is_refused(
    policy_servers: ModuleType, certificates: Path, protocol: str
) -> None:
    running = policy_servers.running(protocol)
    with running as server, behind_tls(server.url, certificates, mutual=False) as address:
        client = make_server(address, credentials(certificates, authority="stranger"))
        with closing(client), pytest.raises(ServerRefusedError, match="the encrypted connection failed"):
            use(client, policy_servers.inputs(protocol, 3.0))


def test_files_that_are_none_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match="valid are PEM files"):
        make_server("wss://localhost:1", Credentials(ca_file=str(tmp_path / "ca.pem")))
