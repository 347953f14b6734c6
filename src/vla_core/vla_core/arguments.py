# SPDX-License-Identifier: Apache-2.0
"""Settings as options of a command line: name, default, choices and help come from the settings dataclass."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import fields
from typing import Any


def add_settings(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, schema: type[Any], names: Collection[str] = ()
) -> None:
    """Add `--a-name` for each field `a_name` of the dataclass `schema`; names: only these, empty for all.

    Fields are made by `vla_core.settings.setting`, with a default that is no list. Ranges are left to the dataclass.
    """
    for item in fields(schema):
        if names and item.name not in names:
            continue
        option = "--" + item.name.replace("_", "-")
        default = f"default {item.default}" if item.default != "" else "default none"
        about = f"{item.metadata['description']} ({default})".replace("%", "%%")
        if isinstance(item.default, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=item.default, help=about)
        else:
            choices = item.metadata["choices"] or None
            parser.add_argument(option, type=type(item.default), default=item.default, choices=choices, help=about)
