# SPDX-License-Identifier: Apache-2.0
"""Typed errors of this package. Each message says what was received and what is valid."""


class CommandError(ValueError):
    """A command is refused."""
