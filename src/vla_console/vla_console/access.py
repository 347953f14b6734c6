# SPDX-License-Identifier: Apache-2.0
"""Who may do what: roles by token, and the pages that may connect."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from vla_core.settings import SettingsError

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Role(Enum):
    """What a page may do; whoever sees the arm may stop it."""

    VIEW = "view"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Access:
    """Decides about a connection. Without tokens every page operates."""

    tokens: tuple[tuple[Role, bytes], ...] = ()
    origins: tuple[str, ...] = ()
    is_local: bool = True

    @classmethod
    def read(cls, token_file: str, origins: tuple[str, ...], is_local: bool) -> Access:
        """Read the tokens of a file, none for an empty path. Raises SettingsError for an unusable file."""
        return cls(_read_tokens(token_file) if token_file else (), origins, is_local)

    def role(self, token: str) -> Role | None:
        """Return the role of a token, None for a wrong one; in the same time for any wrong token."""
        if not self.tokens:
            return Role.OPERATE
        given = token.encode("utf-8", "replace")
        found = [role for role, value in self.tokens if hmac.compare_digest(given, value)]
        return found[0] if found else None

    def refusal(self, host: str, origin: str | None) -> str:
        """Return why a connection is refused; empty: it is not.

        Args:
            host: header Host. A console that serves this machine alone takes its own names only, so that a page from
                elsewhere cannot reach it under a name of its own (DNS rebinding).
            origin: header Origin, which every browser sends with a WebSocket; None: the client is no browser.
        """
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:  # brackets that name no address
            return f"the Host is {host[:100]!r}; valid: a name or an address"
        if self.is_local and name not in LOCAL_NAMES:
            return f"the Host is {host[:100]!r}; valid: {', '.join(LOCAL_NAMES)}"
        own = (f"http://{host}", f"https://{host}")
        if origin is not None and origin not in (*own, *self.origins):
            return f"the Origin is {origin[:100]!r}; valid: the console's own page"
        return ""


def _read_tokens(path: str) -> tuple[tuple[Role, bytes], ...]:
    form = "valid is a line 'operate TOKEN' or 'view TOKEN' for each token, of 16 characters or more"
    try:
        lines = Path(path).expanduser().read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"token_file {path} cannot be read: {error}; {form}") from error
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    roles = {role.value: role for role in Role}
    for number, row in enumerate(rows, 1):
        if len(row) != 2 or row[0] not in roles or len(row[1]) < 16:
            raise SettingsError(f"token_file {path}: token {number} is not valid; {form}")
    if not rows:
        raise SettingsError(f"token_file {path} has no token; {form}")
    return tuple((roles[role], token.encode()) for role, token in rows)
