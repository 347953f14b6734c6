# SPDX-License-Identifier: Apache-2.0
"""Encryption of the servers of this repository."""

from __future__ import annotations

import ssl

from vla_core.settings import SettingsError


def server_context(cert: str, key: str, client_ca: str = "") -> ssl.SSLContext:
    """Return what encrypts a server's connections, TLS 1.2 or newer.

    Args:
        cert: PEM file with the server's certificate.
        key: PEM file with its private key.
        client_ca: PEM file with an authority; a client without a certificate of it is refused in the handshake.

    Raises:
        SettingsError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key)
        if client_ca:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(name for name in (cert, key, client_ca) if name)
        raise SettingsError(f"TLS files {files} cannot be used: {error}; valid are PEM files") from error
    return context
