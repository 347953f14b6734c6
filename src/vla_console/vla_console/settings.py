# SPDX-License-Identifier: Apache-2.0
"""Every parameter of console_node: default, unit, range and meaning, in one place. All are read once, at start."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from vla_core.settings import SettingsError, check_settings, setting


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """Parameters of console_node."""

    host: str = setting("127.0.0.1", "address to listen on; one that others reach needs token_file and tls_cert")
    port: int = setting(8600, "TCP port; 0 for any free one", 0, 65535)
    more_ports: int = setting(15, "ports above it that are tried where it is taken", 0, 100)
    token_file: str = setting("", "file with a role and a token a line, as 'operate TOKEN' or 'view TOKEN'")
    tls_cert: str = setting("", "PEM file with the server's certificate; with tls_key it serves https://")
    tls_key: str = setting("", "PEM file with the private key of tls_cert")
    insecure: bool = setting(False, "serve on an address that others reach without token_file or tls_cert")
    origins: tuple[str, ...] = setting((), "further origins whose pages may connect, as https://name:port")
    max_clients: int = setting(32, "pages connected at a time", 1, 1024)
    state_rate: float = setting(10.0, "[Hz] at which the state is sent", 1.0, 30.0)
    camera_rate: float = setting(15.0, "[Hz] of each camera at most", 0.5, 60.0)
    jpeg_quality: int = setting(80, "of the cameras' pictures, in percent", 1, 100)
    robot_config: str = setting("fr3", "robot: bare name of an installed description, or path of a yaml file")
    teleop_linear_speed: float = setting(0.2, "[m/s] of the tool by hand, at full deflection and speed", 0.005, 1.0)
    teleop_angular_speed: float = setting(0.8, "[rad/s] likewise", 0.02, 3.0)
    motion_budget: float = setting(0.6, "[s] camera to motion, as controller_node has it", 0.05, 5.0)

    def __post_init__(self) -> None:
        """Raise SettingsError for a value out of its range, or an address that is not safe to serve on."""
        check_settings(self)
        if bool(self.tls_cert) != bool(self.tls_key):
            raise SettingsError("tls_cert and tls_key belong together; valid are both or neither")
        lacking = [name for name in ("token_file", "tls_cert") if not getattr(self, name)]
        if not self.is_local and lacking and not self.insecure:
            raise SettingsError(
                f"parameter host is {self.host!r}, which others reach, without {' and '.join(lacking)}; valid: "
                "127.0.0.1, or token_file with tls_cert and tls_key, or insecure: true"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
