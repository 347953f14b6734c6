# SPDX-License-Identifier: Apache-2.0
"""The options of `policy:=remote`."""

from __future__ import annotations

from dataclasses import dataclass

from vla_policy.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Options:
    """Where the server is and how long it may take.

    server: its address; token_file: file with the token that it wants; ca_file, certificate_file, key_file: PEM, of the
    authority that signed the server's certificate and of this client; features_file: config.json of a LeRobot
    checkpoint, for `map:=lerobot`; connect_timeout: [s] until it answers a connection; first_reply_timeout: [s] for the
    first reply of a connection, in which servers load and compile; reply_timeout: [s] for every later one.
    """

    server: str = ""
    token_file: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    features_file: str = ""
    connect_timeout: float = 2.0
    first_reply_timeout: float = 60.0
    reply_timeout: float = 2.0

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a missing server or a time limit that is not above 0."""
        if not self.server:
            raise ConfigurationError("policy remote needs a server; valid is for example server:=ws://localhost:8000")
        for name in ("connect_timeout", "first_reply_timeout", "reply_timeout"):
            if not 0.0 < getattr(self, name) <= 3600.0:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; valid is above 0 to 3600 s")
