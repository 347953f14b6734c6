# SPDX-License-Identifier: Apache-2.0
"""Addresses of policy servers: what `server:=` may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from vla_policy.errors import ConfigurationError

PORTS = {"ws": 8000, "wss": 8000, "http": 8000, "https": 8000, "tcp": 5555, "grpc": 8080, "grpcs": 8080}
EXAMPLES = (
    "ws://HOST:8000, wss://HOST:8000, http://HOST:8000/act, https://HOST:8000/act, tcp://HOST:5555, grpc://HOST:8080"
)
SECURE = ("wss", "https", "grpcs")


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address; settings: of the protocol, from the part behind '?'."""

    scheme: str
    host: str
    port: int
    path: str
    settings: Mapping[str, str]

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in SECURE

    @property
    def bare(self) -> str:
        """The address without settings."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    def choose(self, known: Mapping[str, str]) -> dict[str, str]:
        """Return the settings over their defaults `known`. Raises ConfigurationError for others."""
        unknown = [name for name in self.settings if name not in known]
        if unknown:
            valid = ", ".join(known) or "none"
            raise ConfigurationError(f"server {self.bare}: there is no setting {unknown[0]!r}; valid are {valid}")
        return {**known, **self.settings}


def parse_address(text: str) -> Address:
    """Return the address of a text. Raises ConfigurationError with the valid forms."""
    try:
        parts = urlsplit(text)
        port = parts.port
        settings = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
    except ValueError as error:
        raise ConfigurationError(f"server is {text!r}: {error}; valid are {EXAMPLES}") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise ConfigurationError(f"server is {text!r}; valid are {EXAMPLES}")
    if parts.username or parts.password or parts.fragment:
        raise ConfigurationError(
            f"server has a user name or a fragment; a token is given by token_file; valid are {EXAMPLES}"
        )
    return Address(parts.scheme, parts.hostname, port or PORTS[parts.scheme], parts.path, dict(settings))
