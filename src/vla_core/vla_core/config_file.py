# SPDX-License-Identifier: Apache-2.0
"""YAML files that ship in a folder of `config`, by bare name, and anyone's own by path."""

from __future__ import annotations

import os
from pathlib import Path


def find_config(folder: str, what: str, name_or_path: str) -> Path:
    """Return the file of a bare name in `config/<folder>`, or the path itself where it ends in `.yaml` or `.yml`.

    `what` is the noun of the message.

    Raises:
        FileNotFoundError: there is none; the text lists the valid names.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        if path.is_file():
            return path
        raise FileNotFoundError(f"{what} {name_or_path!r} is not a file")
    for candidate in _files(folder):
        if candidate.stem == name_or_path:
            return candidate
    valid = ", ".join(config_names(folder)) or "none"
    raise FileNotFoundError(f"unknown {what} {name_or_path!r}; valid: {valid}, or a .yaml path")


def config_names(folder: str) -> tuple[str, ...]:
    """Return the bare names in `config/<folder>`."""
    return tuple(sorted({path.stem for path in _files(folder)}))


def _files(folder: str) -> list[Path]:
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    installed = [p / "share" / "vla_core" / "config" / folder for p in prefixes]
    source = [p / "config" / folder for p in Path(__file__).resolve().parents]
    return [path for place in installed + source if place.is_dir() for path in sorted(place.glob("*.yaml"))]
