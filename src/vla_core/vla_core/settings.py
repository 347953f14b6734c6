# SPDX-License-Identifier: Apache-2.0
"""Settings of a node as a frozen dataclass: one place for default, unit, range and meaning of every ROS parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, field, fields
from typing import Any, TypeVar, cast, get_type_hints

T = TypeVar("T")


class SettingsError(ValueError):
    """A setting has an invalid value; the text says what was received and what is valid."""


def setting(
    default: Any,
    description: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:
    """Return a dataclass field that describes the ROS parameter of its name.

    Args:
        default: value without an override; `()` for an optional list.
        description: unit in brackets, then a noun phrase.
        low: smallest valid number, inclusive; None: no range.
        high: largest valid number, inclusive.
        choices: valid texts; empty: any.
        live: whether the parameter may change while the node runs.
    """
    metadata = {"description": description, "low": low, "high": high, "choices": choices, "live": live}
    return field(default=default, metadata=metadata)


def check_settings(settings: Any) -> None:
    """Raise SettingsError when a field of the dataclass `settings` is out of its range or choices."""
    for item in fields(settings):
        check_setting(type(settings), item.name, getattr(settings, item.name))


def check_setting(schema: type[Any], name: str, value: Any) -> None:
    """Raise SettingsError when `value` is invalid for the field `name` of the dataclass `schema`."""
    item = next(item for item in fields(schema) if item.name == name)
    low, choices = item.metadata["low"], item.metadata["choices"]
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    in_range = low is None or (numeric and low <= value <= item.metadata["high"])
    if not in_range or (choices and value not in choices):
        raise SettingsError(f"parameter {name} is {value!r}; valid: {valid_values(item)}")


def settings_from_texts(schema: type[T], given: Mapping[str, str]) -> T:
    """Return settings made from texts by name; others keep their defaults.

    Raises:
        SettingsError: `schema` has no such field, or the text is no value of its type, range or choices.
    """
    known = {item.name: item for item in fields(cast(Any, schema))}
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in known:
            raise SettingsError(f"there is no option {name!r}; valid: {', '.join(known)}")
        values[name] = _from_text(known[name], text)
    made = schema(**values)
    check_settings(made)
    return made


def _from_text(item: Field[Any], text: str) -> Any:
    kind: Any = type(item.default)
    try:
        if kind is bool:
            return {"true": True, "false": False}[text]
        return kind(text)
    except (ValueError, KeyError):
        raise SettingsError(f"option {item.name} is {text!r}; valid: {valid_values(item)}") from None


def valid_values(item: Field[Any]) -> str:
    """Return the valid values of a field in words."""
    low, high, choices = (item.metadata[key] for key in ("low", "high", "choices"))
    if choices:
        return ", ".join(choices)
    if isinstance(item.default, tuple):
        return "a list of texts" if "str" in str(item.type) else "a list of numbers with a decimal point"
    nouns = {bool: "true or false", int: "a whole number", float: "a number with a decimal point"}
    noun = nouns.get(type(item.default), "a text")
    return noun if low is None else f"{noun} from {low:g} to {high:g}"


def element_types(schema: type[Any]) -> dict[str, type[Any]]:
    """Return the element type of every field of `schema` that holds a list (`tuple[T, ...]`)."""
    hints = get_type_hints(schema)
    return {name: hint.__args__[0] for name, hint in hints.items() if getattr(hint, "__origin__", None) is tuple}
