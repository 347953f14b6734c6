# SPDX-License-Identifier: Apache-2.0
"""One client a protocol; none is imported before an address names it."""

from importlib import import_module

from vla_policy.remote.address import parse_address
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.server import RemoteServer

CLIENTS = {
    "ws": ("openpi", "OpenPiServer"),
    "wss": ("openpi", "OpenPiServer"),
    "http": ("act", "ActServer"),
    "https": ("act", "ActServer"),
    "tcp": ("gr00t", "Gr00tServer"),
    "grpc": ("lerobot", "LeRobotServer"),
    "grpcs": ("lerobot", "LeRobotServer"),
}


def make_server(url: str, credentials: Credentials) -> RemoteServer:
    """Return the client, not yet connected, of the server at `url`. Raises ConfigurationError."""
    address = parse_address(url)
    module, name = CLIENTS[address.scheme]
    server: RemoteServer = getattr(import_module(f"{__name__}.{module}"), name)(address, credentials)
    return server
