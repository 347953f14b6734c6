# SPDX-License-Identifier: Apache-2.0
"""The operator's console: what the graph does, on a page and in a terminal, and the commands of a person."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "settings": ("ConsoleSettings",),
        "access": ("Access", "Role"),
        "commands": ("Command", "read_command"),
        "errors": ("ConsoleError", "ServerError"),
        "server": ("ConsoleServer",),
    },
)
