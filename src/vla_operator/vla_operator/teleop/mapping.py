# SPDX-License-Identifier: Apache-2.0
"""Which axis, button or key moves what: a mapping file, checked, and applied to readings of a device."""

from __future__ import annotations

import math
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Any

import yaml
from vla_core.config_file import find_config
from vla_core.settings import SettingsError

from vla_operator.teleop.reading import Reading

FORMAT = "vla_teleop/1"
DIRECTIONS = ("linear.x", "linear.y", "linear.z", "angular.x", "angular.y", "angular.z")
ACTIONS = ("gripper", "faster", "slower", "frame", "quit")
FRAMES = ("base", "tool")
_KEYS = ("format", "frame", "hold", "toggle", "motion", "actions", "dead_zone")


@dataclass(frozen=True, slots=True)
class Source:
    """One axis, button or key of a device, and what its full deflection counts for."""

    axis: int = -1
    button: int = -1
    key: str = ""
    scale: float = 1.0
    rest: float = 0.0  # of the axis when nobody touches it: -1 for most triggers

    def value(self, reading: Reading, dead_zone: float = 0.0) -> float:
        """Return the deflection, times the scale; 0 for what the device does not have or that is not a number."""
        if self.key:
            return self.scale if self.key in reading.keys else 0.0
        if self.button >= 0:
            return self.scale if self.button < len(reading.buttons) and reading.buttons[self.button] else 0.0
        raw = reading.axes[self.axis] if self.axis < len(reading.axes) else self.rest
        if not math.isfinite(raw):
            return 0.0
        way = (min(1.0, max(-1.0, raw)) - self.rest) / (1.0 + abs(self.rest))
        beyond = max(0.0, abs(way) - dead_zone) / (1.0 - dead_zone)
        return self.scale * math.copysign(beyond, way)

    def down(self, reading: Reading) -> bool:
        """Return whether a key or button is down, or an axis more than half way."""
        return abs(self.value(reading)) > 0.5 * abs(self.scale)


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a device drives the arm. Its deadman is ``hold``, or, for devices that cannot be held, ``toggle``."""

    motion: MappingOf[str, tuple[Source, ...]]  # by direction, along or about an axis of the frame
    hold: Source | None = None
    toggle: Source | None = None
    actions: MappingOf[str, Source] = field(default_factory=dict)
    frame: str = "base"
    dead_zone: float = 0.1

    def deflections(self, reading: Reading) -> tuple[float, ...]:
        """Return how far each of `DIRECTIONS` is asked for, from -1 to 1."""
        sums = (
            sum(source.value(reading, self.dead_zone) for source in self.motion.get(direction, ()))
            for direction in DIRECTIONS
        )
        return tuple(min(1.0, max(-1.0, value)) for value in sums)


def load_mapping(name_or_path: str) -> Mapping:
    """Return the mapping of a bare name in `config/teleop`, or of a YAML file.

    Raises:
        SettingsError: there is none, or it is not of the form of those that ship; the text names the entry.
    """
    try:
        path = find_config("teleop", "mapping", name_or_path)
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"mapping {name_or_path}: {error}") from error
    try:
        return read_mapping(data)
    except SettingsError as error:
        raise SettingsError(f"mapping {path}: {error}") from None


def read_mapping(data: Any) -> Mapping:
    """Return the mapping that plain data describes; raises SettingsError."""
    entries = _entries(data, _KEYS, "the file")
    if entries.get("format") != FORMAT:
        raise SettingsError(f"format is {entries.get('format')!r}; valid: {FORMAT!r}")
    if entries.get("frame", "base") not in FRAMES:
        raise SettingsError(f"frame is {entries['frame']!r}; valid: {', '.join(FRAMES)}")
    dead_zone = _number(entries.get("dead_zone", 0.1), "dead_zone", 0.0, 0.9)
    motion = {
        name: tuple(_source(item, f"motion.{name}") for item in (rows if isinstance(rows, list) else [rows]))
        for name, rows in _entries(entries.get("motion"), DIRECTIONS, "motion").items()
    }
    actions = _entries(entries.get("actions", {}), ACTIONS, "actions")
    deadman = {name: _source(entries[name], name) for name in ("hold", "toggle") if name in entries}
    if len(deadman) != 1:
        raise SettingsError("one deadman is needed: 'hold', or 'toggle' for a device whose keys cannot be held")
    return Mapping(
        motion,
        deadman.get("hold"),
        deadman.get("toggle"),
        {name: _source(item, f"actions.{name}") for name, item in actions.items()},
        str(entries.get("frame", "base")),
        dead_zone,
    )


def _source(data: Any, where: str) -> Source:
    entries = _entries(data, ("axis", "button", "key", "scale", "rest"), where)
    named = [name for name in ("axis", "button", "key") if name in entries]
    if len(named) != 1:
        raise SettingsError(f"{where} names {named or 'nothing'}; one of axis, button, key is needed")
    value = entries[named[0]]
    if named[0] == "key":
        if not isinstance(value, str) or not value:
            raise SettingsError(f"{where}.key is {value!r}; a key's name in quotes is needed, for example 'w'")
    elif isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 64:
        raise SettingsError(f"{where}.{named[0]} is {value!r}; a whole number from 0 to 63 is needed")
    scale = _number(entries.get("scale", 1.0), f"{where}.scale", -1.0, 1.0)
    rest = _number(entries.get("rest", 0.0), f"{where}.rest", -1.0, 1.0)
    return Source(**{named[0]: value}, scale=scale, rest=rest)


def _entries(data: Any, valid: tuple[str, ...], where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise SettingsError(f"{where} is {data!r}; a table with the keys {', '.join(valid)} is needed")
    unknown = [str(key) for key in data if key not in valid]
    if unknown:
        raise SettingsError(f"{where} has {', '.join(unknown)}; valid: {', '.join(valid)}")
    return data


def _number(value: Any, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise SettingsError(f"{where} is {value!r}; a number from {low:g} to {high:g} is needed")
    return float(value)
