# SPDX-License-Identifier: Apache-2.0
"""Observation maps by name: the files of `config/maps`, and anyone's own."""

from __future__ import annotations

from pathlib import Path

import yaml

from vla_core.config_file import config_names, find_config
from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.reading import from_dict

FOLDER = "maps"
MAP_FILE = "observation_map.yaml"  # in the folder of a checkpoint that was trained by a map


def map_names() -> tuple[str, ...]:
    """Return the names of the maps that ship."""
    return config_names(FOLDER)


def map_of_checkpoint(checkpoint: str) -> str:
    """Return the path of the map in a checkpoint's folder; empty where there is none."""
    path = Path(checkpoint).expanduser() / MAP_FILE
    return str(path.absolute()) if checkpoint and path.is_file() else ""


def load_map(name_or_path: str) -> ObservationMap:
    """Read a map by bare name (`rt1`) or by the path of its yaml file.

    Raises:
        ObservationMapError: no such file, or its content is invalid.
    """
    try:
        path = find_config(FOLDER, "observation map", name_or_path)
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ObservationMapError(str(error)) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ObservationMapError(f"cannot read observation map {name_or_path}: {error}") from error
    return from_dict(data, path.stem)
