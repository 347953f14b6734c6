# SPDX-License-Identifier: Apache-2.0
"""What every bag says about its origin: robot, observation map, version of the code."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
from pathlib import Path

from vla_core.config_file import find_config
from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.presets import FOLDER, load_map
from vla_core.settings import SettingsError

from vla_recorder.settings import RecorderSettings


def about_recording(settings: RecorderSettings) -> dict[str, str]:
    """Return the texts by name. Raises SettingsError when the observation map cannot be read."""
    about = {"robot": settings.robot, "version": source_version(), "images": settings.images}
    if settings.observation_map:
        try:
            load_map(settings.observation_map)
            path = find_config(FOLDER, "observation map", settings.observation_map)
        except (ObservationMapError, FileNotFoundError) as error:
            raise SettingsError(f"parameter observation_map: {error}") from error
        about["observation_map"] = path.read_text(encoding="utf-8")
        about["observation_map_name"] = path.stem
    return about


def source_version() -> str:
    """Return the commit of the source, or the version of the package where there is no repository."""
    root = Path(os.environ.get("VLA_ROOT", Path(__file__).resolve().parent))
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--tags"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5.0, check=True)
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return importlib.metadata.version("vla_recorder")
