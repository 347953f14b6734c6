# SPDX-License-Identifier: Apache-2.0
"""Every option of `vla serve`: its default, unit, range and meaning, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from vla_core.settings import SettingsError, check_settings, setting

from vla_policy.settings import ENGINES

RAY = "ray"


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Options of the server; those of the policy are in vla_policy.settings."""

    host: str = setting("127.0.0.1", "address to listen on; 0.0.0.0 for every network")
    port: int = setting(8000, "TCP port; 0 for any free one", 0, 65535)
    engine: str = setting(
        "auto",
        "what computes: PyTorch (eager), OpenVINO, or replicas of a Ray Serve application (ray); "
        "auto: what is prepared in this process",
        choices=(*ENGINES, RAY),
    )
    fleet: str = setting("", "YAML file: how many replicas, and what each has, for --engine ray; empty for one")
    map: str = setting("", "observation map: name or file; empty for the one named after the policy")
    token_file: str = setting("", "file with tokens, one a line, of which each client must send one")
    tls_cert: str = setting("", "PEM file with the server's certificate; with tls_key it serves wss://")
    tls_key: str = setting("", "PEM file with the private key of tls_cert")
    client_ca: str = setting("", "PEM file with the authority that must have signed each client's certificate")
    max_clients: int = setting(16, "robots served at a time", 1, 1024)
    max_batch: int = setting(16, "observations computed in one pass", 1, 256)
    max_wait_ms: float = setting(2.0, "[ms] an observation waits for those of other robots", 0.0, 1000.0)
    max_message_mib: float = setting(16.0, "[MiB] largest message of a client", 0.01, 1024.0)

    def __post_init__(self) -> None:
        """Raise SettingsError for a value outside its range, or half of a pair of TLS files."""
        check_settings(self)
        if bool(self.tls_cert) != bool(self.tls_key):
            raise SettingsError("tls_cert and tls_key belong together; valid are both or neither")
        if self.fleet and self.engine != RAY:
            raise SettingsError(f"fleet is for --engine {RAY}; engine is {self.engine}")
        if self.client_ca and not self.tls_cert:
            raise SettingsError("client_ca needs an encrypted connection; valid with tls_cert and tls_key")
