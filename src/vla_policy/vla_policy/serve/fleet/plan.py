# SPDX-License-Identifier: Apache-2.0
"""How many replicas, with what each: Ray Serve's own options of a deployment, from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vla_policy.errors import ConfigurationError

KEYS = (
    "num_replicas",
    "autoscaling_config",
    "ray_actor_options",
    "max_ongoing_requests",
    "graceful_shutdown_timeout_s",
    "health_check_period_s",
    "health_check_timeout_s",
)
DEFAULT: Mapping[str, Any] = {"num_replicas": 1, "health_check_period_s": 2.0}


def read_plan(path: str) -> Mapping[str, Any]:
    """Return the options of the deployment in a YAML file; empty: one replica.

    Raises ConfigurationError for a file that cannot be read, an unknown key, or both a fixed and a varying number.
    """
    if not path:
        return DEFAULT
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"fleet file {path} cannot be read: {error}") from error
    if not isinstance(found, dict) or not set(found) <= set(KEYS):
        received = ", ".join(map(str, found)) if isinstance(found, dict) else repr(found)
        raise ConfigurationError(f"fleet file {path} has {received}; valid are the keys {', '.join(KEYS)}")
    if "num_replicas" in found and "autoscaling_config" in found:
        raise ConfigurationError(f"fleet file {path} has num_replicas and autoscaling_config; valid is one of them")
    return {**{key: value for key, value in DEFAULT.items() if key != "num_replicas"}, **found}
