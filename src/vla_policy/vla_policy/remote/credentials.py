# SPDX-License-Identifier: Apache-2.0
"""What proves who is who: a token for the server, certificates for both sides."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from vla_policy.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token, and files in PEM: authority that signed the server's certificate, own certificate and its key.

    Empty texts mean none; without an authority those of the system are trusted.
    """

    token: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""

    def context(self) -> ssl.SSLContext:
        """Return the settings of an encrypted connection. Raises ConfigurationError for unusable files."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
            if self.certificate_file:
                context.load_cert_chain(self.certificate_file, self.key_file or None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"TLS files {self.files} cannot be used: {error}; valid are PEM files") from error
        return context

    @property
    def files(self) -> str:
        """The names of the files, for messages."""
        return ", ".join(name for name in (self.ca_file, self.certificate_file, self.key_file) if name) or "none"

    def content(self, name: str) -> bytes | None:
        """Return the content of the file of a field, None when none is given. Raises ConfigurationError."""
        path = getattr(self, name)
        try:
            return Path(path).read_bytes() if path else None
        except OSError as error:
            raise ConfigurationError(f"{name} {path} cannot be read: {error}") from error


def read_token(path: str) -> str:
    """Return the first line of a token file; empty for no path. Raises ConfigurationError."""
    if not path:
        return ""
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"token_file {path} cannot be read: {error}; valid is a file with one line") from error
    token = lines[0].strip() if lines else ""
    if not token:
        raise ConfigurationError(f"token_file {path} is empty; valid is a file with the token in its first line")
    return token
