# SPDX-License-Identifier: Apache-2.0
"""Errors of the console; the text says what was received and what is valid."""


class ConsoleError(RuntimeError):
    """What a page asks for cannot be done."""


class ServerError(ConsoleError):
    """The page cannot be served as the parameters say."""
