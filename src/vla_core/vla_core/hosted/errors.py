# SPDX-License-Identifier: Apache-2.0
"""Typed errors of hosted models; each message says what was received and what is valid, and never holds a key."""


class HostedError(Exception):
    """Base of every error that a hosted model raises on purpose."""


class UnreachableError(HostedError):
    """No usable answer came within the time limit (network, rate limit, fault of the server); a later call may succeed.

    wait_s: time that the server asked to wait before the next request [s]; 0 where it asked for none.
    """

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class RefusedError(HostedError):
    """The server refuses the key, has no such model, or does not take the request: the same request fails again."""


class UnusableError(HostedError):
    """The model's reply is not the JSON that was asked for; asked again with the reason it may be."""


class DeclinedError(UnusableError):
    """The model declined to answer (safety filter, refusal)."""
