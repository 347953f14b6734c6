# SPDX-License-Identifier: Apache-2.0
"""The options of `policy:=edge`: those of `policy:=remote`, what is sent, and what acts without the server."""

from __future__ import annotations

from dataclasses import dataclass

from vla_core.settings import SettingsError, check_settings, setting

from vla_policy.errors import ConfigurationError
from vla_policy.remote.options import Options

IMAGE, JPEG, ENCODED = SENT = ("image", "jpeg", "encoded")


@dataclass(frozen=True, slots=True)
class EdgeOptions(Options):
    """What is sent of the images, and the local policy for a link that is slow or gone."""

    send: str = setting(IMAGE, "images as they are, as JPEG, or what the vision encoder made of them", choices=SENT)
    jpeg_quality: int = setting(90, "of send=jpeg", 1, 100)
    encoder: str = setting("rt1", "of send=encoded: the policy whose vision encoder runs here, as the server's")
    fallback: str = setting("", "policy that acts here while the server is late or gone; empty: the arm holds")
    fallback_checkpoint: str = setting("", "weights of the fallback; empty: the robot's shipped ones")
    probe_period: float = setting(1.0, "[s] between two attempts to reach the server again", 0.05, 60.0)

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a missing server or a value that is not valid."""
        Options.__post_init__(self)
        try:
            check_settings(self)
        except SettingsError as error:
            raise ConfigurationError(str(error)) from error
