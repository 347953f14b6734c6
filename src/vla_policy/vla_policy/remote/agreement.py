# SPDX-License-Identifier: Apache-2.0
"""Does an observation map go with what a server tells about itself?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vla_core.observation_map.observation_map import ObservationMap

from vla_policy.errors import ConfigurationError, ServerRefusedError
from vla_policy.mapping.fitting import check_same


def check_agreement(observation_map: ObservationMap, metadata: Mapping[str, Any], known: frozenset[str] | None) -> None:
    """Compare a map with a server.

    Args:
        observation_map: bound and complete.
        metadata: what the server told; one of this repository tells its own map.
        known: keys of an observation that it told it takes; None when it told none.

    Raises:
        ServerRefusedError: keys, sizes or widths differ; the text lists the server's.
    """
    about = metadata.get("vla")
    if isinstance(about, Mapping) and "map" in about:
        try:
            check_same(observation_map, about["map"])
        except ConfigurationError as error:
            raise ServerRefusedError(str(error)) from error
    elif known is not None:
        sent = set(observation_map.keys) - set(observation_map.constants)
        lacking, unknown = sorted(known - sent), sorted(sent - known)
        parts = [f"lacks {', '.join(lacking)}"] if lacking else []
        parts += [f"has {', '.join(unknown)}"] if unknown else []
        if parts:
            valid = ", ".join(sorted(known))
            raise ServerRefusedError(f"map {observation_map.name} {' and '.join(parts)}; the server's keys are {valid}")


def read_features(path: str) -> dict[str, Any]:
    """Return the features of a LeRobot checkpoint (config.json) or dataset (info.json). Raises ConfigurationError."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"features_file {path} cannot be read: {error}; valid is a JSON file") from error
    known = content if isinstance(content, dict) else {}
    groups = (known.get(name) or {} for name in ("input_features", "output_features", "features"))
    found = {name: entry for group in groups for name, entry in group.items()}
    if not found or not all(isinstance(entry, dict) and "shape" in entry for entry in found.values()):
        valid = "config.json of a LeRobot checkpoint, or info.json of a dataset"
        raise ConfigurationError(f"features_file {path} has no features; valid is {valid}")
    return found
