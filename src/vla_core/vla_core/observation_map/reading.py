# SPDX-License-Identifier: Apache-2.0
"""Observation maps from plain data and back. The keys of each level are the fields of its dataclass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.observation_map import ObservationMap

FORMAT = "vla_observation_map/1"
NOT_IN_FILES = ("name", "robot")  # of ObservationMap: the file's name, and what the graph adds
T = TypeVar("T")


def from_dict(data: object, name: str = "") -> ObservationMap:
    """Return the map that plain data describes.

    Raises:
        ObservationMapError: a key or value is invalid; the text names it, what was received and what is valid.
    """
    if not isinstance(data, Mapping):
        raise ObservationMapError(f"map {name} is {type(data).__name__}; valid is a mapping with format: {FORMAT}")
    if data.get("format") != FORMAT:
        raise ObservationMapError(f"map {name}: format is {data.get('format')!r}; valid is {FORMAT!r}")
    content = {key: value for key, value in data.items() if key not in ("format", "description")}
    return replace(_build(ObservationMap, content, f"map {name}", hidden=NOT_IN_FILES), name=name)


def to_dict(observation_map: ObservationMap) -> dict[str, Any]:
    """Return the plain data of a map, without its name and robot; `from_dict` reads it back."""
    plain = _plain(observation_map)
    return {"format": FORMAT, **{key: value for key, value in plain.items() if key not in NOT_IN_FILES}}


def _build(kind: type[T], data: object, where: str, hidden: tuple[str, ...] = ()) -> T:
    """Return the dataclass `kind` of a mapping."""
    known = {item.name: item for item in fields(kind) if item.name not in hidden}  # type: ignore[arg-type]
    valid = list(known)
    if not isinstance(data, Mapping):
        raise ObservationMapError(f"{where} is {data!r}; valid is a mapping with {', '.join(valid)}")
    unknown = [str(key) for key in data if key not in known]
    required = [key for key, item in known.items() if item.default is MISSING and item.default_factory is MISSING]
    missing = [key for key in required if key not in data]
    if unknown or missing:
        what = f"unknown key {', '.join(unknown)}" if unknown else f"missing key {', '.join(missing)}"
        raise ObservationMapError(f"{where}: {what}; valid keys are {', '.join(valid)}")
    hints = get_type_hints(kind)
    values = {key: _value(hints[key], value, f"{where}.{key}") for key, value in data.items()}
    try:
        return kind(**values)
    except ObservationMapError as error:
        raise ObservationMapError(f"{where}: {error}") from error


def _value(hint: Any, value: object, where: str) -> Any:
    """Return a value of the type `hint`. Raises ObservationMapError."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _any_of(get_args(hint), value, where)
    if origin is tuple:
        return _tuple(get_args(hint)[0], value, where)
    if origin is not None:  # Mapping[str, …]
        return _mapping(get_args(hint)[1], value, where)
    if isinstance(hint, type) and is_dataclass(hint):
        return _build(hint, value, where)
    if issubclass(hint, Enum):
        return _member(hint, value, where)
    read, noun = SCALARS[hint]
    found = read(value)
    if found is None:
        raise ObservationMapError(f"{where} is {value!r}; valid is {noun}")
    return found


def _any_of(hints: tuple[Any, ...], value: object, where: str) -> Any:
    if type(None) in hints:
        return None if value is None else _value(next(h for h in hints if h is not type(None)), value, where)
    text = isinstance(value, str)
    return _value(str if text else float, value, where)


def _tuple(hint: Any, value: object, where: str) -> tuple[Any, ...]:
    if hint is float and not isinstance(value, list | tuple):
        value = [value]  # one number for all columns
    if not isinstance(value, list | tuple):
        raise ObservationMapError(f"{where} is {value!r}; valid is a list")
    return tuple(_value(hint, item, f"{where}[{index}]") for index, item in enumerate(value))


def _mapping(hint: Any, value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ObservationMapError(f"{where} is {value!r}; valid is a mapping with texts as keys")
    return {key: _value(hint, item, f"{where}.{key}") for key, item in value.items()}


def _member(kind: type[Enum], value: object, where: str) -> Enum:
    members = {_written(member): member for member in kind}
    if not isinstance(value, str) or value not in members:
        raise ObservationMapError(f"{where} is {value!r}; valid are {', '.join(members)}")
    return members[value]


def _written(member: Enum) -> str:
    return member.value if isinstance(member.value, str) else member.name.lower()


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    numeric = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if numeric else None  # type: ignore[arg-type]


SCALARS: Mapping[type, tuple[Callable[[object], Any], str]] = {
    bool: (_flag, "true or false"),
    str: (_text, "a text"),
    int: (_whole, "a whole number"),
    float: (_number, "a finite number"),
}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: _plain(getattr(value, item.name))
            for item in fields(value)
            if item.name != "robot" and getattr(value, item.name) != item.default
        }
    if isinstance(value, Enum):
        return _written(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
