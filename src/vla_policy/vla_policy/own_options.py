# SPDX-License-Identifier: Apache-2.0
"""Options of one policy alone, written `name=value name=value` as `policy_options:=` has them.

The module of a policy's factory may name its options in OPTIONS, a dataclass made of `vla_core.settings.setting`
fields. Then another name is refused with the list of those, and values get the types of the defaults. Without OPTIONS
every name is passed on, as a truth value, a number or a text.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from vla_policy.errors import ConfigurationError

Value = str | float | bool
TRUTH = {"true": True, "false": False}


def parse_options(text: str) -> dict[str, str]:
    """Return the options of a text; values with spaces are quoted. Raises ConfigurationError for another form."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigurationError(f"policy_options is {text!r}: {error}; valid is 'name=value name=value'") from error
    options: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name or name in options:
            what = "is given twice" if name in options else "is no name=value"
            raise ConfigurationError(f"policy_options: {word!r} {what}; valid is 'name=value name=value'")
        options[name] = value
    return options


def declared_options(factory: Callable[..., Any]) -> type[Any] | None:
    """Return the dataclass OPTIONS of the factory's module, None where it has none."""
    schema = getattr(sys.modules.get(factory.__module__), "OPTIONS", None)
    return schema if isinstance(schema, type) and is_dataclass(schema) else None


def typed_options(policy: str, schema: type[Any] | None, given: Mapping[str, str]) -> dict[str, Value]:
    """Return the given options with their types.

    Raises:
        ConfigurationError: `schema` lacks the name, or the value has another type; the text lists the valid ones.
    """
    if schema is None:
        return {name: _guessed(text) for name, text in given.items()}
    defaults = {item.name: item.default for item in fields(schema)}
    for name in given:
        if name not in defaults:
            valid = ", ".join(defaults) or "none"
            raise ConfigurationError(f"policy {policy} has no option {name!r}; valid are {valid}")
    return {name: _typed(policy, name, text, defaults[name]) for name, text in given.items()}


def _typed(policy: str, name: str, text: str, default: object) -> Value:
    if isinstance(default, bool):
        if text in TRUTH:
            return TRUTH[text]
        raise ConfigurationError(f"option {name} of policy {policy} is {text!r}; valid are true, false")
    if not isinstance(default, int | float):
        return text
    try:
        return int(text) if isinstance(default, int) else float(text)
    except ValueError:
        noun = "a whole number" if isinstance(default, int) else "a number"
        raise ConfigurationError(f"option {name} of policy {policy} is {text!r}; valid is {noun}") from None


def _guessed(text: str) -> Value:
    if text in TRUTH:
        return TRUTH[text]
    try:
        return float(text)
    except ValueError:
        return text
