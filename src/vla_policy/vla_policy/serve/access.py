# SPDX-License-Identifier: Apache-2.0
"""Who may use the server: tokens and certificates."""

from __future__ import annotations

import hmac
import ssl
from dataclasses import dataclass
from pathlib import Path

from vla_core.settings import SettingsError
from vla_core.tls import server_context

from vla_policy.errors import ConfigurationError
from vla_policy.serve.settings import ServeSettings

SCHEME = "Api-Key"  # of the header Authorization, as openpi's client sends it


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens that are valid; without any, none is asked for."""

    values: tuple[bytes, ...] = ()

    @classmethod
    def read(cls, path: str) -> Tokens:
        """Return those of a file, one a line; of no path, none. Raises ConfigurationError for an unusable file."""
        if not path:
            return cls()
        try:
            lines = Path(path).read_text(encoding="ascii").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"token_file {path} cannot be read: {error}; valid is text, one token a line"
            ) from error
        values = tuple(line.strip().encode() for line in lines if line.strip())
        if not values:
            raise ConfigurationError(f"token_file {path} is empty; valid is one token a line")
        return cls(values)

    def admit(self, header: str | None) -> bool:
        """Return whether a request with this header Authorization may pass; in the same time for any wrong token."""
        scheme, _, token = (header or "").partition(" ")
        found = [hmac.compare_digest(token.strip().encode("utf-8", "replace"), value) for value in self.values]
        return not self.values or (any(found) and scheme.lower() == SCHEME.lower())


def tls_context(settings: ServeSettings) -> ssl.SSLContext | None:
    """Return what encrypts the connections, None where they stay plain. Raises ConfigurationError for unusable files.

    With client_ca a client without a certificate of that authority is refused in the handshake.
    """
    if not settings.tls_cert:
        return None
    try:
        return server_context(settings.tls_cert, settings.tls_key, settings.client_ca)
    except SettingsError as error:
        raise ConfigurationError(str(error)) from error
