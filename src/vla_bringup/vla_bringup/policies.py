# SPDX-License-Identifier: Apache-2.0
"""Names of the policies that `policy:=` accepts: those of this repository and those of every installed package."""

from collections.abc import Mapping
from importlib.metadata import entry_points

GROUP = "vla_policy.policies"
BUILT_IN = ("rt1", "rt2", "expert", "replay", "remote", "edge", "gemini")
ON_A_SERVER = ("remote", "edge")  # policies that are served elsewhere
SERVERS = (  # forms of server:= for policy:=remote, as vla_policy.remote.address takes them
    "ws://HOST:8000",
    "wss://HOST:8000",
    "http://HOST:8000/act",
    "https://HOST:8000/act",
    "tcp://HOST:5555",
    "grpc://HOST:8080?policy_type=act&path=CHECKPOINT",
    "grpcs://HOST:8080?policy_type=act&path=CHECKPOINT",
)
SHIPPED: Mapping[str, tuple[str, ...]] = {"rt1": ("fr3",), "rt2": ("fr3",)}  # robots with a checkpoint in vla_policy


def policy_names() -> tuple[str, ...]:
    """Return the built-in names, then those of further entry points in order; imports no policy."""
    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - set(BUILT_IN)))
