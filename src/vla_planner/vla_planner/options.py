# SPDX-License-Identifier: Apache-2.0
"""Options of a mind, written `name=value name=value`."""

from __future__ import annotations

import shlex

from vla_planner.errors import ConfigurationError


def parse_options(text: str) -> dict[str, str]:
    """Return the options of a text; values with spaces are quoted. Raises ConfigurationError for another form."""
    valid = "valid is 'name=value name=value'"
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigurationError(f"planner options are {text!r}: {error}; {valid}") from error
    options: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not name or not separator or name in options:
            raise ConfigurationError(f"planner options: {word!r} is no name=value, or given twice; {valid}")
        options[name] = value
    return options
