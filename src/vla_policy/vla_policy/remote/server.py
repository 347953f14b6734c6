# SPDX-License-Identifier: Apache-2.0
"""The interface of a policy server's client, one subclass a protocol, and what comes back from it."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_policy.ahead import Ahead
from vla_policy.errors import ReplyError, UnavailableError

MAX_REPLY_BYTES = 16 * 2**20  # a chunk of 1,000 steps of 256 columns in JSON has less
Inputs = Mapping[str, "NDArray[Any] | str | float"]
Actions = NDArray[np.float32] | Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered: actions (h, d), or by name where it sends several arrays; extras: the rest."""

    actions: Actions
    extras: Mapping[str, Any] = field(default_factory=dict)


class RemoteServer(ABC):
    """A connection to one policy server: strict request and reply, one in flight, used by one thread.

    Every method ends within its time limit. After any error the connection is closed: a reply that comes late cannot be
    taken for that of a newer observation. `connect` opens it again.
    """

    ahead: Ahead | None = None  # of the next observation, for protocols that can tell it

    loads: bool = False  # whether the server loads the policy anew for each connection

    @abstractmethod
    def connect(self, timeout_s: float) -> Mapping[str, Any]:
        """Open the connection and return what the server says about itself; empty when it says nothing.

        Raises:
            UnavailableError: nobody is there, or nothing was received within `timeout_s` [s].
            ServerRefusedError: wrong token, or a certificate that is not trusted.
        """

    @abstractmethod
    def infer(self, inputs: Inputs, timeout_s: float) -> Reply:
        """Send an observation and return the reply to it.

        Raises:
            UnavailableError: the connection broke, or the reply did not come within `timeout_s` [s].
            ReplyError: the reply is malformed, or a text about an error.
        """

    def reset(self, timeout_s: float) -> None:
        """Begin a new episode; the default has nothing to tell the server. Raises as `infer`."""
        return

    @abstractmethod
    def close(self) -> None:
        """Close the connection; any number of times."""

    def known_keys(self) -> frozenset[str] | None:
        """Return the keys of an observation that the connected server told it takes; None when it told none."""
        return None


class Deadline:
    """What remains of a time limit."""

    def __init__(self, timeout_s: float) -> None:
        """Start now; timeout_s: [s]."""
        self.timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s

    def remaining(self, what: str) -> float:
        """Return the rest [s]. Raises UnavailableError when it has passed; `what` names what did not come."""
        rest = self._end - time.monotonic()
        if rest <= 0.0:
            raise self.error(what)
        return rest

    def error(self, what: str) -> UnavailableError:
        """Return the error for a limit that has passed."""
        return UnavailableError(f"{what} did not come within {self.timeout_s:g} s")


@contextmanager
def aborting(after_s: float, abort: Callable[[], object]) -> Iterator[None]:
    """Call `abort` in another thread when the block takes longer than `after_s` [s]."""
    timer = threading.Timer(after_s, abort)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def one_line(text: object, limit: int = 200) -> str:
    """Return the last line of a text, which of a traceback is the error itself, without control characters."""
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    cleaned = "".join(char if char.isprintable() else " " for char in (lines[-1] if lines else "no text"))
    return cleaned if len(cleaned) <= limit else cleaned[:limit] + "…"


def check_size(data: bytes) -> bytes:
    """Return the data. Raises ReplyError above MAX_REPLY_BYTES."""
    if len(data) > MAX_REPLY_BYTES:
        raise ReplyError(too_large(len(data)))
    return data


def too_large(size: int | None = None) -> str:
    """Return the text about a reply that is too large."""
    received = f"has {size} bytes" if size else "is too large"
    return f"the reply {received}; valid is up to {MAX_REPLY_BYTES} bytes"
