# SPDX-License-Identifier: Apache-2.0
"""The options of `policy:=remote`."""

from __future__ import annotations

from dataclasses import dataclass

from vla_core.settings import SettingsError, check_settings, setting

from vla_policy.errors import ConfigurationError

EXAMPLE = "server:=ws://localhost:8000"


@dataclass(frozen=True, slots=True)
class Options:
    """Where the server is, who is who, and how long it may take."""

    server: str = setting("", "address of the policy server, such as ws://localhost:8000")
    token_file: str = setting("", "file whose first line is the token that the server wants")
    ca_file: str = setting("", "PEM file of the authority that signed the server's certificate; empty: the system's")
    certificate_file: str = setting("", "PEM file with this client's certificate, for servers that want one")
    key_file: str = setting("", "PEM file with the private key of certificate_file")
    features_file: str = setting("", "config.json of a LeRobot checkpoint or info.json of its dataset, for map lerobot")
    connect_timeout: float = setting(2.0, "[s] for the server to answer a connection", 0.01, 600.0)
    first_reply_timeout: float = setting(60.0, "[s] for the first reply: servers load and compile then", 0.01, 3600.0)
    reply_timeout: float = setting(2.0, "[s] for every later reply", 0.01, 600.0)

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a missing server or a value outside its range."""
        if not self.server:
            raise ConfigurationError(f"policy remote needs a server; valid is for example {EXAMPLE}")
        try:
            check_settings(self)
        except SettingsError as error:
            raise ConfigurationError(str(error)) from error
