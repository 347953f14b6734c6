# SPDX-License-Identifier: Apache-2.0
"""The operator: the only writer of instructions."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "commands": ("Command", "CommandKind", "parse_command"),
        "errors": ("CommandError",),
        "settings": ("InstructionSettings", "TeleopSettings"),
    },
)
